/** Typed search attributes: what a list of workflows can be filtered and sorted by. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../contract/api.ts';

export const searchAttributeKeys = {
  run: defineSearchAttributeKey(SEARCH_ATTRIBUTES.run.name, SearchAttributeType.KEYWORD),
  round: defineSearchAttributeKey(SEARCH_ATTRIBUTES.round.name, SearchAttributeType.INT),
  stage: defineSearchAttributeKey(SEARCH_ATTRIBUTES.stage.name, SearchAttributeType.KEYWORD),
  model: defineSearchAttributeKey(SEARCH_ATTRIBUTES.model.name, SearchAttributeType.KEYWORD),
  score: defineSearchAttributeKey(SEARCH_ATTRIBUTES.score.name, SearchAttributeType.DOUBLE),
};

/**
 * What a model process gets to see of the worker's environment: an allow-list, and of its secrets
 * the one that the request names.
 */
import type { ModelProcessRequest } from '../contract/model-process.ts';
import { pythonDir } from '../store/layout.ts';

/** Where programs, caches and devices are; nothing that opens a door. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'LD_LIBRARY_PATH',
  'CUDA_HOME',
  'CUDA_VISIBLE_DEVICES',
  'NVIDIA_VISIBLE_DEVICES',
  'CUBLAS_WORKSPACE_CONFIG',
  'GLOO_SOCKET_IFNAME',
  'NCCL_SOCKET_IFNAME',
  'NCCL_IB_DISABLE',
  'NCCL_DEBUG',
  'PYTORCH_ALLOC_CONF',
  'OMP_NUM_THREADS',
  'MKL_NUM_THREADS',
  'HF_HOME',
  'XDG_CACHE_HOME',
  'STICFLOW_FAULTS',
] as const;

/** What finds the way out on top of it. A hub token is read from HF_HOME, not from here. */
const NETWORK = [
  'HF_ENDPOINT',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'REQUESTS_CA_BUNDLE',
] as const;

/** What a process needs for a request beyond its programs and devices. */
export interface Access {
  /** `endpoint` reaches the network but not the hub. */
  readonly network: 'none' | 'hub' | 'endpoint';
  /** Name of the variable that holds the key of the endpoint. */
  readonly secret: string | null;
}

/** Requests that need another access need another process. */
export function accessFor(request: ModelProcessRequest): Access {
  if (request.command === 'download_model') return { network: 'hub', secret: null };
  if (request.command !== 'generate' || request.engine.name !== 'openai') {
    return { network: 'none', secret: null };
  }
  const { api_key } = request.engine;
  const secret = api_key?.kind === 'environment' ? api_key.name : null;
  return { network: 'endpoint', secret };
}

/** The whole environment of a model process. */
export function modelProcessEnvironment(
  parent: NodeJS.ProcessEnv,
  { network, secret }: Access,
): Record<string, string> {
  const names = [
    ...PASSED_ON,
    ...(network === 'none' ? [] : NETWORK),
    ...(secret === null ? [] : [secret]),
  ];
  const passed = names.flatMap((name) => {
    const value = parent[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(passed),
    ...(network === 'hub' ? {} : { HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1' }),
    PYTHONPATH: pythonDir(),
    // The order of a set of names must not differ from one process to the next.
    PYTHONHASHSEED: '0',
    PYTHONUNBUFFERED: '1',
  };
}

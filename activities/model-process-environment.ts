/** What a model process gets to see of the worker's environment: an allow-list, no secrets. */
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
  'PYTORCH_ALLOC_CONF',
  'OMP_NUM_THREADS',
  'MKL_NUM_THREADS',
  'HF_HOME',
  'XDG_CACHE_HOME',
  'STICFLOW_FAULTS',
] as const;

/** What a download needs on top to find its way out. A hub token is read from HF_HOME, not from here. */
const NETWORK = [
  'HF_ENDPOINT',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'REQUESTS_CA_BUNDLE',
] as const;

export type NetworkAccess = 'offline' | 'hub';

/** The whole environment of a model process; only a download may reach the network. */
export function modelProcessEnvironment(
  parent: NodeJS.ProcessEnv,
  access: NetworkAccess,
): Record<string, string> {
  const names = access === 'hub' ? [...PASSED_ON, ...NETWORK] : PASSED_ON;
  const passed = names.flatMap((name) => {
    const value = parent[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(passed),
    ...(access === 'offline' ? { HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1' } : {}),
    PYTHONPATH: pythonDir(),
    // The order of a set of names must not differ from one process to the next.
    PYTHONHASHSEED: '0',
    PYTHONUNBUFFERED: '1',
  };
}

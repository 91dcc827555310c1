import { Worker } from 'node:worker_threads'

/**
 * Starts a module of this folder in a thread of its own. From source (tests, development) the thread
 * has to learn TypeScript first; compiled, the file is loaded as it is.
 */
export function startThread(name: string, workerData: unknown): Worker {
  const fromSource = import.meta.filename.endsWith('.ts')
  const url = new URL(`./${name}.${fromSource ? 'ts' : 'js'}`, import.meta.url)
  if (!fromSource) return new Worker(url, { workerData })
  const load = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(url)}) })`
  return new Worker(load, { workerData, eval: true })
}

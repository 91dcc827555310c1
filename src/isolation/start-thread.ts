import { Worker, type WorkerOptions } from 'node:worker_threads'
import { FROM_SOURCE } from '../package-files.js'

/**
 * Starts a module of ours in a thread of its own. From source (tests, development) the thread has to learn
 * TypeScript first; compiled, the file is loaded as it is.
 * @param module as imports name it, with `.js`
 */
export function startThread(module: URL, options: WorkerOptions): Worker {
  if (!FROM_SOURCE) return new Worker(module, options)
  const source = JSON.stringify(module.href.replace(/\.js$/, '.ts'))
  const load = `import('tsx/esm/api').then(({ register }) => { register(); return import(${source}) })`
  return new Worker(load, { ...options, eval: true })
}

import { execFileSync, fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { buildSync } from 'esbuild'
import { join } from 'node:path'
import { childrenOf, listFolder, readFile } from './proc.js'
import type { Ceiling, CeilingResult } from './ceiling.js'
import type { Load, LoadResult } from './load.js'
import type { Stamps, StampsResult } from './stamps.js'

const ROOT = join(import.meta.dirname, '../..')
const CLI = join(ROOT, 'dist/cli.js')

/** As docs/deployment has it: threads for native calls and hashing, and few memory arenas for them. */
const ENVIRONMENT = {
  ...{ UV_THREADPOOL_SIZE: '16', MALLOC_ARENA_MAX: '2' },
  MALLOC_MMAP_THRESHOLD_: '131072',
}

function forkModule(name: string): ChildProcess {
  return fork(join(import.meta.dirname, `${name}.ts`), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ...ENVIRONMENT },
  })
}

/** One that runs services of ours inside: built as they are when they run for others. */
function forkBuilt(name: string): ChildProcess {
  const outfile = join(ROOT, `dist/bench-${name}.js`)
  const entryPoints = [join(import.meta.dirname, `${name}.ts`)]
  const as = { format: 'esm', platform: 'node', target: 'node20', packages: 'external' } as const
  buildSync({ ...as, entryPoints, outfile, bundle: true })
  return fork(outfile, { env: { ...process.env, ...ENVIRONMENT } })
}

async function answer<T>(name: string, task: unknown, child = forkModule(name)): Promise<T> {
  child.send(task as object)
  const result = await Promise.race([
    once(child, 'message').then(([message]) => message as T),
    once(child, 'exit').then(() => Promise.reject(new Error(`${name} ended without an answer`))),
  ])
  child.kill()
  return result
}

export function generateLoad(load: Load): Promise<LoadResult> {
  return answer('load', load)
}

export function measureCeiling(options: Ceiling): Promise<CeilingResult> {
  return answer('ceiling', options)
}

export function measureStamps(options: Stamps): Promise<StampsResult> {
  return answer('stamps', options, forkBuilt('stamps'))
}

/** A server of some kind, and what it costs. */
export interface Running {
  readonly origin: string
  /** Milliseconds from its start until it answered. */
  readonly readyAfter: number
  /** Processor seconds of it and its children so far. */
  cpuSeconds(): number
  /** Resident memory of it and its children, in bytes; what they share is counted once. */
  residentBytes(): number
  /** Open file handles of it and its children. */
  handles(): number
  stop(): Promise<void>
}

/** One of the baselines, which say where they listen. */
export async function startBaseline(name: 'echo' | 'bare' | 'documents'): Promise<Running> {
  const begun = performance.now()
  const child = forkModule(name)
  const [message] = (await once(child, 'message')) as [{ ready: string }]
  return running(child, message.ready, performance.now() - begun)
}

/** A command of the built tool, to its end. */
export function runBuilt(args: readonly string[]): void {
  execFileSync(process.execPath, [CLI, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** The built server or sandbox; it is there when it answers. */
export async function startBuilt(
  args: readonly string[],
  origin: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const begun = performance.now()
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, ...ENVIRONMENT, ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the server ended')))
  ended.catch(() => undefined)
  await Promise.race([answering(origin), ended])
  return running(child, origin, performance.now() - begun)
}

async function answering(origin: string): Promise<void> {
  const over = performance.now() + 240_000
  while (performance.now() < over) {
    const up = await fetch(`${origin}/health/ready`).then(
      (response) => response.ok,
      () => false,
    )
    if (up) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('the server did not answer within four minutes')
}

function running(child: ChildProcess, origin: string, readyAfter: number): Running {
  const sum = (read: (pid: number) => number) =>
    family(child.pid ?? 0).reduce((total, pid) => total + read(pid), 0)
  return {
    origin,
    readyAfter,
    cpuSeconds: () => sum(cpuSecondsOf),
    residentBytes: () => sum(residentBytesOf),
    handles: () => sum((pid) => listFolder(`/proc/${pid}/fd`).length),
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** The process and all that descend from it. */
function family(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(family)]
}

function cpuSecondsOf(pid: number): number {
  const fields = readFile(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100
}

/** Of pages that several processes share, each has its part. */
function residentBytesOf(pid: number): number {
  const text = readFile(`/proc/${pid}/smaps_rollup`)
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../test/support/rssp.js'
import type { Figure } from './report.js'

const START = join(import.meta.dirname, '../start')

/** Seconds until `./scripts/start` says where it listens, with everything installed and data there. */
export async function measureStartUp({ rounds }: { rounds: number }): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-bench-'))
  const port = await freePort()
  await startAndStop(folder, port)
  const values: number[] = []
  for (let round = 0; round < rounds; round += 1) values.push(await startAndStop(folder, port))
  rmSync(folder, { recursive: true, force: true })
  return {
    ...{ name: 'second start of the sandbox', unit: 's', baseline: 'a second:' },
    ...{ values, baselineValues: values.map(() => 1), demand: { atMost: 1.5 } },
  }
}

async function startAndStop(folder: string, port: number): Promise<number> {
  const begun = performance.now()
  const child = spawn(START, ['--port', String(port), '--data-dir', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  let said = ''
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes(`http://127.0.0.1:${port}`)) resolve()
    })
  })
  await Promise.race([
    ready,
    ended.then(() => Promise.reject(new Error(`the sandbox ended: ${said}`))),
  ])
  const seconds = (performance.now() - begun) / 1000
  const answer = await fetch(`http://127.0.0.1:${port}/csc/v2/info`, { method: 'POST' })
  if (!answer.ok) throw new Error(`it said it was ready and answered ${answer.status}`)
  child.kill('SIGTERM')
  await ended
  return seconds
}

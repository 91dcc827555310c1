import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { OverloadedError, UnfitDocumentError } from '../../src/errors.js'
import { IsolatedProcesses } from '../../src/isolation/isolated-processes.js'
import { isolatedTask, type IsolationError } from '../../src/isolation/isolated-task.js'
import { isAlive, until } from '../support/processes.js'
import type * as mischief from './mischief.js'

type Mischief = typeof mischief

function task<Name extends keyof Mischief>(name: Name) {
  return isolatedTask<Mischief[Name]>(new URL('./mischief.js', import.meta.url), name)
}

describe('Isolated processes (S64)', () => {
  const limits = { processes: 1, waiting: 2, heapMegabytes: 64, memoryMegabytes: 512 }
  const isolated = new IsolatedProcesses({ ...limits, seconds: 1.5 })
  const patient = new IsolatedProcesses({ ...limits, seconds: 120 })
  after(() => Promise.all([isolated.close(), patient.close()]))

  const ends = async (name: keyof Mischief, why: IsolationError['why'], by = isolated) => {
    await assert.rejects(by.run(task(name), undefined), { why })
    // And the next task does not notice.
    const bytes = Buffer.from('ab')
    assert.deepEqual(await by.run(task('double'), { bytes }), Buffer.from('abab'))
  }

  it('give the result of a task, and copies of buffers as buffers', async () => {
    assert.equal(await patient.run(task('isBuffer'), { bytes: Buffer.from('x') }), true)
  })

  it('can read no file but code, write none, run nothing, and reach nobody', async () => {
    assert.deepEqual(await patient.run(task('possible'), undefined as never), [])
  })

  it('know nothing of the environment of the service', async () => {
    assert.deepEqual(await patient.run(task('environment'), undefined as never), [])
  })

  it('are killed when a task takes too long', () => ends('loopForever', 'time'))

  it('are killed when a task waits for ever, which is no word on what it was to read', async () => {
    const quick = new IsolatedProcesses({ ...limits, seconds: 0.2 })
    try {
      await assert.rejects(quick.run(task('neverAnswer'), undefined), OverloadedError)
    } finally {
      await quick.close()
    }
  })

  it('count the time a task computes, not that in which the machine did other things', async () => {
    const [starved, other] = [1, 2].map(() => new IsolatedProcesses({ ...limits, seconds: 1 }))
    assert.ok(starved && other)
    try {
      const pid = await starved.run(task('processId'), undefined)
      await other.run(task('processId'), undefined)
      process.kill(pid, 'SIGSTOP')
      const result = starved.run(task('processId'), undefined)
      // Begun later, so that by its end the time of the first is over by the clock.
      await assert.rejects(other.run(task('loopForever'), undefined), { why: 'time' })
      process.kill(pid, 'SIGCONT')
      assert.equal(await result, pid)
    } finally {
      await Promise.all([starved.close(), other.close()])
    }
  })

  it('end by themselves when a task wants too many objects', () => ends('fillHeap', 'end', patient))

  it('get no more memory than they may have outside the heap either', () =>
    ends('fillMemory', 'failure', patient))

  it('may crash or leave without anybody else noticing', async () => {
    await ends('die', 'end', patient)
    await ends('leave', 'end', patient)
  })

  it('tell a refusal of a document from a failure', async () => {
    const refused = patient.run(task('refuse'), undefined)
    await assert.rejects(refused, new UnfitDocumentError('The document is encrypted'))
    await ends('fail', 'failure', patient)
  })

  it('end with a server that is killed, also in the middle of an endless loop', async () => {
    const script = join(import.meta.dirname, 'looping-server.ts')
    const server = spawn(process.execPath, ['--import', 'tsx', script])
    const { pid } = server
    const children = () =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/\d+/g) ?? []
    // A start takes less.
    await until(() => children().some((child) => secondsOf(child) > 1))
    const isolatedOnes = children().filter((child) => secondsOf(child) > 1)
    server.kill('SIGKILL')
    for (const child of isolatedOnes) await until(() => !isAlive(Number(child)))
  })

  it('let only so many tasks wait', async () => {
    const bytes = Buffer.from('x')
    const runs = Array.from({ length: 5 }, () => patient.run(task('double'), { bytes }))
    const outcomes = await Promise.allSettled(runs)
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    assert.equal(refused.length, 2)
    for (const { reason } of refused as PromiseRejectedResult[]) {
      assert.ok(reason instanceof OverloadedError)
    }
  })
})

/** Of processor time, in user mode. */
function secondsOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[11])
  return ticks / 100
}

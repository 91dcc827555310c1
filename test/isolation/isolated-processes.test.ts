import assert from 'node:assert/strict'
import { OverloadedError, UnfitDocumentError } from '../../src/errors.js'
import { IsolatedProcesses } from '../../src/isolation/isolated-processes.js'
import { isolatedTask, type IsolationError } from '../../src/isolation/isolated-task.js'
import type * as mischief from './mischief.js'

type Mischief = typeof mischief

function task<Name extends keyof Mischief>(name: Name) {
  return isolatedTask<Mischief[Name]>(new URL('./mischief.js', import.meta.url), name)
}

describe('Isolated processes (S64)', () => {
  const isolated = new IsolatedProcesses({
    ...{ processes: 1, waiting: 2, seconds: 0.6, heapMegabytes: 64, memoryMegabytes: 512 },
  })
  after(() => isolated.close())

  const ends = async (name: keyof Mischief, why: IsolationError['why']) => {
    await assert.rejects(isolated.run(task(name), undefined), { why })
    // And the next task does not notice.
    const bytes = Buffer.from('ab')
    assert.deepEqual(await isolated.run(task('double'), { bytes }), Buffer.from('abab'))
  }

  it('give the result of a task, and copies of buffers as buffers', async () => {
    assert.equal(await isolated.run(task('isBuffer'), { bytes: Buffer.from('x') }), true)
  })

  it('can read no file but code, write none, run nothing, and reach nobody', async () => {
    assert.deepEqual(await isolated.run(task('possible'), undefined as never), [])
  })

  it('know nothing of the environment of the service', async () => {
    assert.deepEqual(await isolated.run(task('environment'), undefined as never), [])
  })

  it('are killed when a task takes too long, computing or waiting', async () => {
    await ends('loopForever', 'time')
    await ends('neverAnswer', 'time')
  })

  it('end by themselves when a task wants too many objects', () => ends('fillHeap', 'end'))

  it('get no more memory than they may have outside the heap either', () =>
    ends('fillMemory', 'failure'))

  it('may crash or leave without anybody else noticing', async () => {
    await ends('die', 'end')
    await ends('leave', 'end')
  })

  it('tell a refusal of a document from a failure', async () => {
    const refused = isolated.run(task('refuse'), undefined)
    await assert.rejects(refused, new UnfitDocumentError('The document is encrypted'))
    await ends('fail', 'failure')
  })

  it('let only so many tasks wait', async () => {
    const bytes = Buffer.from('x')
    const runs = Array.from({ length: 5 }, () => isolated.run(task('double'), { bytes }))
    const outcomes = await Promise.allSettled(runs)
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    assert.equal(refused.length, 2)
    for (const { reason } of refused as PromiseRejectedResult[]) {
      assert.ok(reason instanceof OverloadedError)
    }
  })
})

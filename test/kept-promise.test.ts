import assert from 'node:assert/strict'
import { keptPromise } from '../src/kept-promise.js'

describe('A promise that is kept', () => {
  it('is made once, also for those who ask while it is being made', async () => {
    let made = 0
    const kept = keptPromise(async () => (made += 1))
    assert.equal(made, 0)
    assert.deepEqual(await Promise.all([kept(), kept()]), [1, 1])
    assert.equal(await kept(), 1)
  })

  it('fails for all who waited, and is made anew for the next (S103)', async () => {
    let made = 0
    const kept = keptPromise(async () => {
      if ((made += 1) === 1) throw new Error('no room')
      return made
    })
    const [first, second] = await Promise.allSettled([kept(), kept()])
    assert.deepEqual([first.status, second.status], ['rejected', 'rejected'])
    assert.equal(await kept(), 2)
  })
})

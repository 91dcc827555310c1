import assert from 'node:assert/strict'
import { Gate, type GateLimits } from '../../src/admission/gate.js'
import { OverloadedError, TooManyRequestsError } from '../../src/errors.js'

const LIMITS: GateLimits = {
  ...{ atOnce: 2, waiting: 4, waitingEach: 3, patienceSeconds: 30 },
  ...{ resting: 2, restingEach: 1 },
}

describe('A gate', () => {
  let begun: string[]
  let turnedAway: string[]
  const observer = {
    turnedAway: (_gate: string, reason: string) => void turnedAway.push(reason),
    waitedAt: () => undefined,
  }
  beforeEach(() => {
    begun = []
    turnedAway = []
  })

  const gateWith = (limits: Partial<GateLimits> = {}) =>
    new Gate('test', { ...LIMITS, ...limits }, observer)

  /** Work that lasts until `end` is called. */
  function enter(gate: Gate, party: string, { cost = 1, isGone = (): boolean => false } = {}) {
    let end: () => void = () => undefined
    const lasting = new Promise<void>((resolve) => (end = resolve))
    const done = gate.pass({ party, cost, isGone }, async () => {
      begun.push(party)
      await lasting
      return party
    })
    done.catch(() => undefined)
    return { done, end }
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  it('lets only so much run at a time, and the rest when there is room', async () => {
    const gate = gateWith()
    const [first, second, third] = ['a', 'b', 'c'].map((party) => enter(gate, party))
    assert.deepEqual(begun, ['a', 'b'])
    assert.deepEqual(gate.load, { gate: 'test', running: 2, waiting: 1 })
    second?.end()
    await second?.done
    await settled()
    assert.deepEqual(begun, ['a', 'b', 'c'])
    first?.end()
    third?.end()
    assert.deepEqual(await Promise.all([first?.done, third?.done]), ['a', 'c'])
    assert.deepEqual(gate.load, { gate: 'test', running: 0, waiting: 0 })
  })

  it('has parties take turns, however many requests one of them brings (S68)', async () => {
    const gate = gateWith({ atOnce: 1, waiting: 100, waitingEach: 50 })
    const flood = Array.from({ length: 50 }, () => enter(gate, 'flood'))
    const other = enter(gate, 'other')
    flood[0]?.end()
    flood[1]?.end()
    await settled()
    await settled()
    assert.deepEqual(begun, ['flood', 'flood', 'other'])
    for (const each of [...flood, other]) each.end()
    await Promise.all([...flood, other].map(({ done }) => done))
    assert.equal(begun.length, 51)
  })

  it('turns a party away that has too many waiting, and nobody else (S68)', async () => {
    const gate = gateWith()
    const flood = Array.from({ length: 6 }, () => enter(gate, 'flood'))
    await assert.rejects(flood[5]?.done ?? assert.fail(), TooManyRequestsError)
    const other = enter(gate, 'other')
    for (const each of [...flood, other]) each.end()
    assert.equal(await other.done, 'other')
    assert.deepEqual(turnedAway, ['party has too many'])
    assert.equal(begun.length, 6)
  })

  it('turns everybody away when too many wait, and begins nothing of theirs (S107)', async () => {
    const gate = gateWith()
    const all = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((party) => enter(gate, party))
    await assert.rejects(all[6]?.done ?? assert.fail(), OverloadedError)
    for (const each of all) each.end()
    await Promise.allSettled(all.map(({ done }) => done))
    assert.deepEqual(begun, ['a', 'b', 'c', 'd', 'e', 'f'])
    assert.deepEqual(turnedAway, ['too many'])
  })

  it('lets nobody wait for ever', async () => {
    const gate = gateWith({ patienceSeconds: 0.01 })
    const running = [enter(gate, 'a'), enter(gate, 'a')]
    const late = enter(gate, 'b')
    await assert.rejects(late.done, OverloadedError)
    assert.equal(gate.load.waiting, 0)
    for (const each of running) each.end()
    await Promise.all(running.map(({ done }) => done))
    assert.deepEqual(begun, ['a', 'a'])
  })

  it('begins nothing for those who hung up meanwhile', async () => {
    const gate = gateWith({ atOnce: 1 })
    const running = enter(gate, 'a')
    const gone = enter(gate, 'b', { isGone: () => true })
    const next = enter(gate, 'c')
    running.end()
    await assert.rejects(gone.done, OverloadedError)
    next.end()
    await next.done
    assert.deepEqual(begun, ['a', 'c'])
  })

  it('counts work by its size, lets what is larger than it pass alone, and nobody overtake it', async () => {
    const gate = gateWith({ atOnce: 10, waiting: 10 })
    const small = enter(gate, 'small')
    const large = enter(gate, 'large', { cost: 1000 })
    const next = enter(gate, 'next')
    assert.deepEqual(begun, ['small'])
    small.end()
    await small.done
    await settled()
    assert.deepEqual(begun, ['small', 'large'])
    large.end()
    next.end()
    await Promise.all([large.done, next.done])
    assert.equal(gate.load.running, 0)
  })

  it('keeps room for others where a party may have only a share', async () => {
    const gate = gateWith({ atOnce: 4, atOnceEach: 2 })
    const greedy = Array.from({ length: 4 }, () => enter(gate, 'greedy'))
    const other = enter(gate, 'other')
    await settled()
    assert.deepEqual(begun, ['greedy', 'greedy', 'other'])
    greedy[0]?.end()
    await greedy[0]?.done
    await settled()
    assert.deepEqual(begun, ['greedy', 'greedy', 'other', 'greedy'])
    for (const each of [...greedy, other]) each.end()
    await Promise.all([...greedy, other].map(({ done }) => done))
    assert.deepEqual(gate.load, { gate: 'test', running: 0, waiting: 0 })
  })

  it('makes room for others while a request rests, and lets only so many rest', async () => {
    const gate = gateWith({ atOnce: 1 })
    let wake: () => void = () => undefined
    const sleep = new Promise<void>((resolve) => (wake = resolve))
    const rest = (party: string) => gate.pass({ party }, (resting) => resting(() => sleep))
    const resting = [rest('a'), rest('b')]
    await settled()
    await assert.rejects(rest('a'), TooManyRequestsError)
    await assert.rejects(rest('c'), OverloadedError)
    assert.equal(await gate.pass({ party: 'd' }, () => Promise.resolve('done')), 'done')
    wake()
    await Promise.all(resting)
    assert.deepEqual(gate.load, { gate: 'test', running: 0, waiting: 0 })
  })

  it('keeps taken the room of what a request leaves behind, also when that fails (S68)', async () => {
    const gate = gateWith({ atOnce: 2 })
    const ends: (() => void)[] = []
    const left = [
      new Promise<void>((resolve) => ends.push(resolve)),
      new Promise<void>((_, reject) => ends.push(() => reject(new Error('no')))),
    ]
    const answers = left.map((work) =>
      gate.pass({ party: 'a' }, (_rest, stay) => {
        stay(work)
        return Promise.resolve('answered')
      }),
    )
    assert.deepEqual(await Promise.all(answers), ['answered', 'answered'])
    const others = [enter(gate, 'b'), enter(gate, 'b')]
    assert.deepEqual(gate.load, { gate: 'test', running: 2, waiting: 2 })
    for (const end of ends) end()
    await settled()
    assert.deepEqual(begun, ['b', 'b'])
    for (const { done, end } of others) {
      end()
      await done
    }
    assert.deepEqual(gate.load, { gate: 'test', running: 0, waiting: 0 })
  })

  it('goes on after work that failed', async () => {
    const gate = gateWith({ atOnce: 1 })
    await assert.rejects(
      gate.pass({ party: 'a' }, () => Promise.reject(new Error('no'))),
      /no/,
    )
    assert.equal(await gate.pass({ party: 'a' }, () => Promise.resolve(1)), 1)
  })
})

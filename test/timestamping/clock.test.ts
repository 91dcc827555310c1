import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { WatchedClock, type ClockState, type TimeReference } from '../../src/timestamping/clock.js'
import { ntpReference, ntpServer } from '../../src/timestamping/ntp.js'
import { TimestampRefusal } from '../../src/timestamping/refusal.js'

const START = Date.parse('2026-11-22T12:00:00Z')

/** The time, and what passes of it, apart. */
class TwoClocks {
  time = START
  passed = 0
  readonly now = () => new Date(this.time)
  readonly elapsed = () => this.passed
  advance(ms: number): void {
    this.time += ms
    this.passed += ms
  }
  set(ms: number): void {
    this.time += ms
  }
}

describe('The clock of a timestamping authority', () => {
  let clocks: TwoClocks
  let changes: string[]
  beforeEach(() => {
    clocks = new TwoClocks()
    changes = []
  })

  const watched = (references: readonly TimeReference[] = [], accuracyMilliseconds = 1000) =>
    new WatchedClock({
      ...{ now: clocks.now, elapsed: clocks.elapsed, references, accuracyMilliseconds },
      onChange: (state: ClockState) => changes.push(state.sure ? 'sure' : state.why),
    })
  const tells = (clock: WatchedClock) => {
    try {
      return clock.read().getTime() - clocks.time
    } catch (error) {
      assert.ok(error instanceof TimestampRefusal)
      return error.failure
    }
  }

  it('tells the time while it runs on', () => {
    const clock = watched()
    for (const ms of [0, 10, 3_600_000, 86_400_000]) {
      clocks.advance(ms)
      assert.equal(tells(clock), 0)
    }
    assert.deepEqual(changes, [])
  })

  for (const seconds of [1.5, -1.5, 0.6, -0.6, 86_400, -86_400]) {
    it(`tells none once it was set by ${seconds} seconds, however long ago (S84, S106)`, () => {
      const clock = watched()
      clocks.set(seconds * 1000)
      assert.equal(tells(clock), 'timeNotAvailable')
      clocks.advance(3_600_000)
      assert.equal(tells(clock), 'timeNotAvailable')
      assert.deepEqual(changes, [`the clock was set by ${seconds.toFixed(1)} seconds`])
    })
  }

  it('tells the time again when it was set back to where it belongs', () => {
    const clock = watched()
    clocks.set(5000)
    tells(clock)
    clocks.set(-5000)
    assert.equal(tells(clock), 0)
    assert.equal(changes.at(-1), 'sure')
  })

  it('adds up what it was set by in small steps', () => {
    const clock = watched()
    for (let step = 0; step < 5; step += 1) {
      clocks.set(100)
      clocks.advance(60_000)
      assert.equal(tells(clock), 0)
    }
    clocks.set(100)
    assert.equal(tells(clock), 'timeNotAvailable')
  })

  it('is held to half of the accuracy that is declared', () => {
    const clock = watched([], 100)
    clocks.set(40)
    assert.equal(tells(clock), 0)
    clocks.set(20)
    assert.equal(tells(clock), 'timeNotAvailable')
  })

  it('tells none before its references found it right', async () => {
    const clock = watched([reference({ aheadMs: 3 })])
    assert.equal(tells(clock), 'timeNotAvailable')
    await clock.compare()
    assert.equal(tells(clock), 0)
  })

  const wrong: [string, TimeReference[]][] = [
    ['one that finds it 0.6 seconds off', [reference({ aheadMs: -600 })]],
    ['one that does not know well itself', [reference({ aheadMs: 100, uncertaintyMs: 450 })]],
    ['one of two', [reference({ aheadMs: 0 }), reference({ aheadMs: 900 })]],
    ['one of three', [reference({ aheadMs: 0 }), reference({ aheadMs: 900 }), silent()]],
    ['nobody who answers', [silent(), silent()]],
  ]
  for (const [who, references] of wrong) {
    it(`tells none with ${who}`, async () => {
      const clock = watched(references)
      await clock.compare()
      assert.equal(tells(clock), 'timeNotAvailable')
    })
  }

  it('tells the time when two of three find it right', async () => {
    const clock = watched([reference({ aheadMs: 0 }), silent(), reference({ aheadMs: -20 })])
    await clock.compare()
    assert.equal(tells(clock), 0)
  })

  it('tells none when its references find it wrong later, although nobody set it', async () => {
    const answer = { aheadMs: 0 }
    const clock = watched([reference(answer)])
    await clock.compare()
    answer.aheadMs = 700
    await clock.compare()
    assert.equal(tells(clock), 'timeNotAvailable')
    assert.equal(changes.at(-1), 'its references do not find the clock right')
  })

  it('tells the time after it was set, once its references find it right', async () => {
    const clock = watched([reference({ aheadMs: 0 })])
    await clock.compare()
    clocks.set(5000)
    assert.equal(tells(clock), 'timeNotAvailable')
    await clock.compare()
    assert.equal(tells(clock), 0)
  })

  it('goes on for three minutes without its references, and no longer', async () => {
    const answers = [reference({ aheadMs: 0 })]
    const clock = watched(answers)
    await clock.compare()
    answers[0] = silent()
    for (let minute = 1; minute <= 3; minute += 1) {
      clocks.advance(60_000)
      await clock.compare()
      assert.equal(tells(clock), 0)
    }
    clocks.advance(20_000)
    assert.equal(tells(clock), 'timeNotAvailable')
    assert.equal(changes.at(-1), 'its references have not answered')
  })
})

function reference(found: { aheadMs: number; uncertaintyMs?: number }): TimeReference {
  return {
    name: 'reference',
    compare: () => Promise.resolve({ uncertaintyMs: 10, ...found }),
  }
}

function silent(): TimeReference {
  return { name: 'silent', compare: () => Promise.reject(new Error('no answer')) }
}

describe('An NTP server', () => {
  let socket: Socket
  /** How far it is ahead, and what else is in its answer. */
  let manner: { ahead?: number; change?: (packet: Buffer) => Buffer | null } = {}

  before(async () => {
    socket = createSocket('udp4')
    socket.on('message', (question, { port, address }) => {
      const answer = packet(question, Date.now() + (manner.ahead ?? 0))
      const sent = manner.change ? manner.change(answer) : answer
      if (sent) socket.send(sent, port, address)
    })
    await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound))
  })
  beforeEach(() => {
    manner = {}
  })
  after(() => socket.close())

  const compare = (timeoutMs = 60_000) => {
    const { port } = socket.address()
    const server = ntpServer(`127.0.0.1:${port}`)
    return ntpReference(server, { now: () => new Date(), timeoutMs }).compare()
  }

  /** A machine with other things to do may hold up some. */
  async function compareQuickly() {
    for (;;) {
      const found = await compare()
      if (found.uncertaintyMs < 200) return found
    }
  }

  for (const ahead of [0, 1500, -1500]) {
    it(`finds our clock ${-ahead} milliseconds ahead`, async () => {
      manner = { ahead }
      const { aheadMs, uncertaintyMs } = await compareQuickly()
      assert.ok(Math.abs(aheadMs + ahead) <= 50 + uncertaintyMs, `${aheadMs}`)
      // Half of the way there and back, and what the server says of itself.
      assert.ok(uncertaintyMs >= 10, `${uncertaintyMs}`)
    })
  }

  const set = (at: number, ...bytes: number[]) => ({
    change: (answer: Buffer) => Buffer.from(answer).fill(Buffer.from(bytes), at, at + bytes.length),
  })
  const unfit: [string, typeof manner, RegExp][] = [
    ['answers too little', { change: (answer) => answer.subarray(0, 40) }, /too short/],
    ['answers another question', set(24, 1, 2, 3, 4), /another question/],
    ['answers as a client', set(0, 0x23), /no server/],
    ['is not synchronised', set(0, 0xe4), /does not know/],
    ['says to leave it alone', set(1, 0), /does not know/],
    ['is of stratum 16', set(1, 16), /does not know/],
  ]
  it('is not waited for when it does not answer', async () => {
    manner = { change: () => null }
    await assert.rejects(compare(200), /in time/)
  })

  for (const [what, how, why] of unfit) {
    it(`is not believed when it ${what}`, async () => {
      manner = how
      await assert.rejects(compare(), why)
    })
  }

  it('is named with or without its port', () => {
    assert.deepEqual(ntpServer('time.example'), { host: 'time.example', port: 123 })
    assert.deepEqual(ntpServer('time.example:1123'), { host: 'time.example', port: 1123 })
  })
})

/** An answer of stratum 2, with a root delay and dispersion of ten milliseconds each. */
function packet(question: Buffer, time: number): Buffer {
  const answer = Buffer.alloc(48)
  answer.writeUInt8(0x24, 0)
  answer.writeUInt8(2, 1)
  answer.writeUInt32BE(655, 4)
  answer.writeUInt32BE(655, 8)
  question.copy(answer, 24, 40, 48)
  for (const at of [32, 40]) {
    answer.writeUInt32BE(Math.floor(time / 1000) + 2_208_988_800, at)
    answer.writeUInt32BE(Math.floor(((time % 1000) / 1000) * 2 ** 32), at + 4)
  }
  return answer
}

import { setTimeout as pause } from 'node:timers/promises'
import { Application, type StoryStart } from './application.js'
import { addPeople, layRound, type People } from './approvals.js'
import { collect } from './evidence.js'
import { harm } from './faults.js'
import type { History } from './history.js'
import { ChaosInstallation, type DatabaseKind } from './installation.js'
import { findMismatches, type Mismatch } from './invariants.js'
import { Journal } from './journal.js'
import {
  LONGEST_ROUND_SECONDS,
  planRound,
  STORIES_PER_SECOND,
  type RoundPlan,
  type StoryPlan,
} from './plan.js'

export interface Outcome {
  readonly mismatches: readonly Mismatch[]
  readonly journal: Journal
  readonly summary: readonly string[]
}

/** The same plan for the same seed; what meets what is up to the machine. */
export async function run(parts: {
  readonly database: DatabaseKind
  readonly processes: number
  readonly seed: number
  /** Of load. */
  readonly seconds: number
  readonly say: (line: string) => void
}): Promise<Outcome> {
  const { database, processes, seed, seconds, say } = parts
  const installation = await ChaosInstallation.make({ database, processes, minutes: seconds / 60 })
  const journal = new Journal()
  try {
    const people = await installation.bench.lay(addPeople)
    installation.shim.resetCounts()
    installation.start()
    const chaos = new Chaos(installation, people, journal)
    const rounds = Math.ceil(seconds / LONGEST_ROUND_SECONDS)
    for (let round = 0; round < rounds; round += 1) {
      const left = seconds - round * LONGEST_ROUND_SECONDS
      await chaos.round({
        ...{ seed: seed + round, name: `round ${round}` },
        seconds: Math.min(left, LONGEST_ROUND_SECONDS),
      })
      say(`  round ${round + 1} of ${rounds}: ${chaos.progress}`)
    }
    const history = await chaos.end()
    const summary = [
      ...summarise(history, journal),
      ...installation.complaints().map((each) => `  ${each}`),
    ]
    return { mismatches: findMismatches(history), journal, summary }
  } finally {
    await installation.heal().catch(() => undefined)
    await installation.stop()
    await installation.remove()
  }
}

/** Of which a process that came back signs one. */
const LAST_APPROVALS = 8

class Chaos {
  readonly #installation: ChaosInstallation
  readonly #people: People
  readonly #journal: Journal
  readonly #starts: StoryStart[] = []
  readonly #stories: Application[] = []
  readonly #notRecovered: string[] = []

  constructor(installation: ChaosInstallation, people: People, journal: Journal) {
    this.#installation = installation
    this.#people = people
    this.#journal = journal
  }

  get progress(): string {
    const requests = this.#stories.flatMap((story) => story.requests)
    const signatures = new Set(requests.flatMap((request) => request.signatures)).size
    return `${this.#stories.length} stories, ${requests.length} requests, ${signatures} signatures`
  }

  async round(round: {
    readonly seed: number
    readonly name: string
    readonly seconds: number
  }): Promise<void> {
    const { name, seconds } = round
    const installation = this.#installation
    const { stories, lanes } = planRound(round.seed)
    const most = Math.ceil(seconds * STORIES_PER_SECOND)
    const plan: RoundPlan = { lanes, stories: stories.map((each) => each.slice(0, most)) }
    await this.#recover(name)
    this.#journal.tell('run', `${name}: laying out ${plan.stories.flat().length} approvals`)
    const laid = await installation.bench.lay((services) => {
      return layRound(services, this.#people, { plan, name })
    })
    this.#starts.push(...laid.flat())
    this.#journal.tell('run', `${name}: ${seconds} s of load and faults`)
    const over = performance.now() + seconds * 1000
    const before = this.#stories.length
    await Promise.all([
      ...laid.map((starts) => this.#apply(starts, over)),
      ...plan.lanes.map((lane) => harm(installation, lane, { journal: this.#journal, over })),
    ])
    await this.#recover(name)
    this.#journal.tell('run', `${name}: asking again for what was not answered`)
    const open = this.#stories.slice(before)
    const close = async () => {
      for (let story = open.pop(); story; story = open.pop()) await story.close()
    }
    await Promise.all(plan.stories.map(close))
  }

  /** Stops everything in good order, and reads what is on record. */
  async end(): Promise<History> {
    const installation = this.#installation
    await this.#signEverywhere()
    this.#notRecovered.push(...(await installation.stop()))
    return collect(installation, {
      ...{ starts: this.#starts, stories: this.#stories, keys: this.#people.keys },
      notRecovered: this.#notRecovered,
    })
  }

  async #apply(starts: readonly StoryStart[], over: number): Promise<void> {
    for (const start of starts) {
      if (performance.now() > over) return
      await this.#live(start, this.#installation.doors)
    }
  }

  #live(start: StoryStart, doors: readonly string[]): Promise<void> {
    const story = new Application({ start, journal: this.#journal, doors })
    this.#stories.push(story)
    return story.live()
  }

  async #recover(name: string): Promise<void> {
    this.#journal.tell('run', `${name}: everything is healed`)
    await this.#installation.heal()
    const late = await this.#installation.notReady()
    this.#notRecovered.push(...late.map((who) => `${name}: ${who}`))
    this.#journal.tell('run', `${name}: ${late.length === 0 ? 'ready' : late.join()}`)
    // Sessions to the token may have to be opened anew.
    await pause(500)
  }

  /** Fresh approvals for each process, which then has to sign: one of them, as a machine may stand still. */
  async #signEverywhere(): Promise<void> {
    const { bench, doors } = this.#installation
    const stories = doors.map(() =>
      Array.from({ length: LAST_APPROVALS }, (): StoryPlan => {
        const choices = { credential: 0, doors: [0], pauseMs: 0 }
        return { kind: 'batch', digests: 2, keyed: true, again: false, ...choices }
      }),
    )
    const plan = { stories, lanes: [] }
    const name = 'round after all'
    const laid = await bench.lay((services) => layRound(services, this.#people, { plan, name }))
    this.#starts.push(...laid.flat())
    for (const [number, starts] of laid.entries()) {
      if (await this.#signsOne(starts, doors.slice(number, number + 1))) continue
      this.#notRecovered.push(`process ${number} does not sign`)
    }
  }

  async #signsOne(starts: readonly StoryStart[], doors: readonly string[]): Promise<boolean> {
    for (const start of starts) {
      await this.#live(start, doors)
      if (this.#stories.at(-1)?.requests.some(({ status }) => status === 200)) return true
    }
    return false
  }
}

/** Not forbidden, as nobody promised what became of it, but hard on who has no Idempotency-Key. */
function usedThough503({ stories, ledger }: History): number {
  const answers = new Map<string, Set<number>>()
  for (const { digests, status } of stories.flatMap(({ requests }) => requests)) {
    for (const digest of digests) {
      answers.set(digest, (answers.get(digest) ?? new Set()).add(status))
    }
  }
  return ledger.rows.filter(({ digest, state }) => {
    const statuses = [...(answers.get(digest ?? '') ?? [])]
    const isUsed = state === 'consumed' || state === 'indeterminate'
    return (
      isUsed &&
      statuses.includes(503) &&
      statuses.every((status) => status === 503 || (status >= 400 && status < 500))
    )
  }).length
}

function summarise(history: History, journal: Journal): string[] {
  const { ledger, stories, tokenSignatures, audit } = history
  const requests = stories.flatMap((story) => story.requests)
  const count = <T>(values: readonly T[], name: (value: T) => string | number) => {
    const counts = new Map<string | number, number>()
    for (const value of values) counts.set(name(value), (counts.get(name(value)) ?? 0) + 1)
    return [...counts].map(([value, times]) => `${value}: ${times}`).join(', ')
  }
  const whys = audit.filter(({ event }) => event === 'signature.indeterminate')
  return [
    `requests by status: ${count(requests, ({ status }) => status)}`,
    `ledger rows: ${count(ledger.rows, ({ state }) => state)}`,
    `unknown outcomes: ${count(whys, ({ detail }) => String(detail['why']))}`,
    `C_Sign: ${tokenSignatures}`,
    `digests answered with 503 alone, and used up: ${usedThough503(history)}`,
    `steps: ${journal.lines().length}`,
    ...skipped(journal),
    'errors logged:',
  ]
}

/** Each once, without its time. */
function skipped(journal: Journal): Set<string> {
  const lines = journal.lines(new Set(['fault'])).filter((line) => line.includes(': skipped'))
  return new Set(lines.map((line) => line.replace(/^.*fault: /, '')))
}

import {
  AggregatorRegistry,
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  Registry,
  type Aggregator,
} from 'prom-client'
import type { GateObserver } from '../admission/gate.js'
import { VERSION } from '../version.js'

/** What one token does at this moment. */
export interface TokenLoad {
  /** Label of the token, as the configuration names it. */
  readonly token: string
  readonly idle: number
  readonly busy: number
  /** Callers that wait for a session. */
  readonly waiting: number
  /** Sessions whose call does not return. */
  readonly quarantined: number
}

/** Of one token by its label, of several each by its name. */
export function tokenLoads(
  label: string,
  state: Omit<TokenLoad, 'token'> & {
    readonly tokens?: readonly (Omit<TokenLoad, 'token'> & { readonly name: string })[]
  },
): TokenLoad[] {
  return state.tokens
    ? state.tokens.map(({ name, ...each }) => ({ token: name, ...each }))
    : [{ token: label, ...state }]
}

/** How the process is that alone uses the token. */
export interface KeyProcessFigures {
  readonly running: boolean
  /** How often it had to be started again. */
  readonly restarts: number
  /** Uses of keys that the ledger did not allow. */
  readonly refusedUses: number
}

/** How many keys lie ready for credentials that are made while somebody waits. */
export interface KeyPoolLevel {
  /** The kind of key, such as `p-256`. */
  readonly algorithm: string
  /** `resident` or `wrapped`. */
  readonly custody: string
  readonly ready: number
  /** What the pool is filled up to. */
  readonly wanted: number
}

/** What a gate lets through and makes wait. */
export interface GateLoad {
  readonly gate: string
  readonly running: number
  readonly waiting: number
}

/** Work that waits in the database for a background job. */
export interface Backlog {
  readonly queue: string
  readonly waiting: number
}

/** How the database writes, told by the engines of src/storage. */
export interface CommitObserver {
  /** A transaction ended: how many units shared it, and how long it took from being sent. */
  transaction(units: number, seconds: number, outcome: 'committed' | 'failed'): void
}

/** Where a digest stands in the authorisation ledger. */
export type LedgerState = (typeof LEDGER_STATES)[number]

/** Parts of the way of a signature whose time is taken. */
export type Step =
  | 'ledger.redeem'
  | 'token.sign'
  | 'C_Sign'
  | 'signature.verify'
  | 'ledger.consume'
  | 'database.commit'

/** Asked when somebody collects the metrics, and never in between. */
interface Sources {
  tokens: () => readonly TokenLoad[]
  keyPool: () => readonly KeyPoolLevel[]
  /** Null where this process started none. */
  keyProcess: () => KeyProcessFigures | null
  gates: () => readonly GateLoad[]
  commitsWaiting: () => number
  auditHead: () => number | null
  /** Whether our own authority gives timestamps; null where there is none. */
  timestampClock: () => boolean | null
  /** Until when the newest revocation list of each authority is good; null for none. */
  revocationLists: () => Readonly<Record<string, Date | null>>
  backlogs: () => Promise<readonly Backlog[]>
  /** Whether each part works, by its name. */
  readiness: () => Promise<Readonly<Record<string, boolean>>>
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const SHORT = [0.00025, 0.0005, ...SECONDS]
const UNITS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
/** What the alert rules wait for, and hopefully in vain. */
const FAILED_TIMESTAMPS = [
  { source: 'own', outcome: 'systemFailure' },
  { source: 'own', outcome: 'timeNotAvailable' },
  { source: 'external', outcome: 'failed' },
] as const
const UNEXPECTED_REFUSALS = [
  { api: 'csc', kind: 'unforeseen' },
  { api: 'csc', kind: 'signature-withheld' },
  { api: 'oauth', kind: 'server_error' },
] as const
const LEDGER_STATES = ['authorised', 'reserved', 'consumed', 'released', 'indeterminate'] as const

/**
 * Figures of this process, for Prometheus. Labels take few values, all of our own choosing: never the name
 * of a person, application, credential or request. Where figures stand in other parts they are asked for
 * when somebody collects: the parts announce themselves with `watch`.
 */
export class Metrics implements CommitObserver, GateObserver {
  readonly registry = new Registry()
  readonly #sources: Sources = {
    tokens: () => [],
    keyPool: () => [],
    keyProcess: () => null,
    gates: () => [],
    commitsWaiting: () => 0,
    auditHead: () => null,
    timestampClock: () => null,
    revocationLists: () => ({}),
    backlogs: () => Promise.resolve([]),
    readiness: () => Promise.resolve({}),
  }

  readonly #requests = this.#histogram(
    'http_request_duration_seconds',
    'Time to answer a request, by route and class of status.',
    ['route', 'status'],
    SECONDS,
  )
  readonly #refusals = this.#counter(
    'refusals_total',
    'Requests refused, by API and kind of refusal.',
    ['api', 'kind'],
  )
  readonly #turnedAway = this.#counter(
    'turned_away_total',
    'Requests that were not begun because of overload, by gate and reason.',
    ['gate', 'reason'],
  )
  readonly #waited = this.#histogram(
    'admission_wait_seconds',
    'Time requests waited to be begun; those that did not wait are left out.',
    ['gate'],
    SECONDS,
  )
  readonly #steps = this.#histogram(
    'step_duration_seconds',
    'Time of the steps of a signature: redeeming the authorisation, asking the token (in it, C_Sign), verifying, recording the result; and of any commit.',
    ['step'],
    SHORT,
  )
  readonly #ledger = this.#tally(
    'ledger_digests_total',
    'Digests that came into a state of the authorisation ledger.',
    'state',
  )
  readonly #commits = this.#histogram(
    'database_commit_duration_seconds',
    'Time of a database transaction, which the units of concurrent requests share.',
    ['outcome'],
    SHORT,
  )
  readonly #commitUnits = this.#histogram(
    'database_commit_units',
    'Units of work that shared a database transaction.',
    [],
    UNITS,
  )
  readonly #commitsRefused = this.#counter(
    'database_commits_refused_total',
    'Units turned away because too many waited for the database.',
  )
  readonly #auditEvents = this.#tally(
    'audit_events_total',
    'Records written to the audit log, by event.',
    'event',
  )
  readonly #timestamps = this.#histogram(
    'timestamp_duration_seconds',
    'Time to get a timestamp, by source (own, external) and outcome: granted, failed, or why it was refused.',
    ['source', 'outcome'],
    SHORT,
  )
  readonly #ocsp = this.#counter(
    'ocsp_responses_total',
    'OCSP responses, by what they say and whether they were signed for it or kept.',
    ['says', 'origin'],
  )
  readonly #chores = this.#counter(
    'chores_total',
    'Runs of background jobs in this process, by outcome.',
    ['chore', 'outcome'],
  )
  constructor() {
    processFigures()
    this.#beginAtZero()
    this.#gauge('build_info', 'Always 1; the version is a label.', ['version'], 'first').set(
      { version: VERSION },
      1,
    )
    this.#watchTokens()
    this.#watchKeyPool()
    this.#watchKeyProcess()
    this.#watchGates()
    const sources = this.#sources
    this.#gauge('database_commits_waiting', 'Units waiting for the database.', [], 'sum', {
      collect: (gauge) => gauge.set(sources.commitsWaiting()),
    })
    this.#gauge('audit_head', 'Number of the newest record of the audit log.', [], 'max', {
      collect: (gauge) => gauge.set(sources.auditHead() ?? 0),
    })
    this.#gauge(
      'timestamp_clock_sure',
      'Whether the timestamping authority of this service is sure of its clock: 1 or 0.',
      ['source'],
      'min',
      {
        collect(gauge) {
          const sure = sources.timestampClock()
          if (sure !== null) gauge.set({ source: 'own' }, sure ? 1 : 0)
        },
      },
    )
    this.#gauge(
      'revocation_list_valid_until_seconds',
      'When the newest revocation list that this process knows ends, in seconds since 1970, by authority.',
      ['issuer'],
      'max',
      {
        collect(gauge) {
          for (const [issuer, end] of Object.entries(sources.revocationLists())) {
            if (end) gauge.set({ issuer }, Math.floor(end.getTime() / 1000))
          }
        },
      },
    )
    this.#gauge('ready', 'Whether a part works: 1 or 0.', ['part'], 'min', {
      async collect(gauge) {
        const parts = Object.entries(await sources.readiness())
        for (const [part, works] of parts) gauge.set({ part }, works ? 1 : 0)
      },
    })
    this.#gauge(
      'backlog',
      'Work waiting for a background job, by queue: audit records not looked at for notices, results not announced yet.',
      ['queue'],
      'max',
      {
        async collect(gauge) {
          for (const { queue, waiting } of await sources.backlogs()) gauge.set({ queue }, waiting)
        },
      },
    )
  }

  /**
   * A count that begins at one has not increased, for Prometheus: what is to be noticed when it happens for
   * the first time has to be there before.
   */
  #beginAtZero(): void {
    for (const state of LEDGER_STATES) this.#ledger(state, 0)
    for (const labels of UNEXPECTED_REFUSALS) this.#refusals.inc(labels, 0)
    for (const labels of FAILED_TIMESTAMPS) this.#timestamps.zero(labels)
    this.#commits.zero({ outcome: 'failed' })
    this.#ocsp.inc({ says: 'failed', origin: 'none' }, 0)
  }

  /** Names where figures are to be had, in place of those that were named before. */
  watch(sources: Partial<Sources>): void {
    Object.assign(this.#sources, sources)
  }

  /** @param status of the answer, such as 201 */
  requestAnswered(route: string, status: number, seconds: number): void {
    this.#requests.observe({ route, status: `${Math.floor(status / 100)}xx` }, seconds)
  }

  refused(api: string, kind: string): void {
    this.#refusals.inc({ api, kind })
  }

  turnedAway(gate: string, reason: string): void {
    this.#turnedAway.inc({ gate, reason })
  }

  waitedAt(gate: string, seconds: number): void {
    this.#waited.observe({ gate }, seconds)
  }

  step(step: Step, seconds: number): void {
    this.#steps.observe({ step }, seconds)
  }

  ledger(state: LedgerState, digests: number): void {
    this.#ledger(state, digests)
  }

  transaction(units: number, seconds: number, outcome: 'committed' | 'failed'): void {
    this.#commits.observe({ outcome }, seconds)
    this.#commitUnits.observe(units)
  }

  commitRefused(): void {
    this.#commitsRefused.inc()
  }

  timestamped(source: string, outcome: string, seconds: number): void {
    this.#timestamps.observe({ source, outcome }, seconds)
  }

  ocspAnswered(says: string, origin: 'signed' | 'kept' | 'none'): void {
    this.#ocsp.inc({ says, origin })
  }

  audited(event: string): void {
    this.#auditEvents(event, 1)
  }

  choreRan(chore: string, outcome: 'done' | 'failed'): void {
    this.#chores.inc({ chore, outcome: 'failed' }, outcome === 'failed' ? 1 : 0)
    if (outcome === 'done') this.#chores.inc({ chore, outcome })
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return Registry.merge([this.registry, processFigures()]).metrics()
  }

  get contentType(): string {
    return this.registry.contentType
  }

  /** As plain data, for `textOf`. */
  async data(): Promise<FiguresData> {
    return [
      ...(await this.registry.getMetricsAsJSON()),
      ...(await processFigures().getMetricsAsJSON()),
    ]
  }

  #watchTokens(): void {
    const sources = this.#sources
    this.#gauge(
      'hsm_sessions',
      'Sessions of the token: idle, busy, or quarantined because a call does not return.',
      ['token', 'state'],
      'sum',
      {
        collect(gauge) {
          for (const { token, idle, busy, quarantined } of sources.tokens()) {
            gauge.set({ token, state: 'idle' }, idle)
            gauge.set({ token, state: 'busy' }, busy)
            gauge.set({ token, state: 'quarantined' }, quarantined)
          }
        },
      },
    )
    this.#gauge('hsm_waiting', 'Calls that wait for a session of the token.', ['token'], 'sum', {
      collect(gauge) {
        for (const { token, waiting } of sources.tokens()) gauge.set({ token }, waiting)
      },
    })
  }

  #watchKeyPool(): void {
    const sources = this.#sources
    this.#gauge(
      'key_pool_keys',
      'Keys made ahead: ready, and wanted.',
      ['algorithm', 'custody', 'state'],
      'max',
      {
        collect(gauge) {
          for (const { algorithm, custody, ready, wanted } of sources.keyPool()) {
            gauge.set({ algorithm, custody, state: 'ready' }, ready)
            gauge.set({ algorithm, custody, state: 'wanted' }, wanted)
          }
        },
      },
    )
  }

  #watchKeyProcess(): void {
    const sources = this.#sources
    this.#gauge('key_process_up', 'Whether the key process answers: 1 or 0.', [], 'max', {
      collect(gauge) {
        gauge.set(sources.keyProcess()?.running ? 1 : 0)
      },
    })
    this.#gauge('key_process_restarts', 'Times it had to be started again.', [], 'max', {
      collect(gauge) {
        gauge.set(sources.keyProcess()?.restarts ?? 0)
      },
    })
    const refused = 'Uses of keys asked of it that the ledger did not allow.'
    this.#gauge('key_process_refused_uses', refused, [], 'max', {
      collect(gauge) {
        gauge.set(sources.keyProcess()?.refusedUses ?? 0)
      },
    })
  }

  #watchGates(): void {
    const sources = this.#sources
    const labels = ['gate', 'state']
    this.#gauge('admission_requests', 'Requests running and waiting, by gate.', labels, 'sum', {
      collect(gauge) {
        for (const { gate, running, waiting } of sources.gates()) {
          gauge.set({ gate, state: 'running' }, running)
          gauge.set({ gate, state: 'waiting' }, waiting)
        }
      },
    })
  }

  #counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return new Counter({ name: `openrssp_${name}`, help, labelNames, registers: [this.registry] })
  }

  /** A counter for what every signature counts: kept as plain numbers until somebody asks. */
  #tally(name: string, help: string, label: string): (value: string, more: number) => void {
    const counts = new Map<string, number>()
    new Counter({
      ...{ name: `openrssp_${name}`, help, labelNames: [label] },
      registers: [this.registry],
      collect() {
        this.reset()
        for (const [value, count] of counts) this.inc({ [label]: value }, count)
      },
    })
    return (value, more) => counts.set(value, (counts.get(value) ?? 0) + more)
  }

  #histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    buckets: readonly number[],
  ): Histogram {
    return new Histogram({
      ...{ name: `openrssp_${name}`, help, labelNames },
      buckets: [...buckets],
      registers: [this.registry],
    })
  }

  /** @param aggregator how the figures of several processes become one */
  #gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    aggregator: Aggregator,
    source: { collect?: (gauge: Gauge) => void | Promise<void> } = {},
  ): Gauge {
    const { collect } = source
    return new Gauge({
      ...{ name: `openrssp_${name}`, help, labelNames, aggregator },
      registers: [this.registry],
      ...(collect && {
        async collect() {
          // What cannot be told is left out: the rest is wanted most when something is broken.
          this.reset()
          try {
            await collect(this)
          } catch {
            this.reset()
          }
        },
      }),
    })
  }
}

let ofProcess: Registry | null = null

/** Memory, processor time, event loop and collector, of which a process has one each. */
function processFigures(): Registry {
  if (ofProcess === null) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
  }
  return ofProcess
}

/** The figures of one process, as they pass between processes. */
export type FiguresData = readonly object[]

/** Of these figures, what only ever grows: what a process told that has ended counts on. */
export function countsIn(data: FiguresData): FiguresData {
  return data.filter((metric) => !isLevel(metric))
}

function isLevel(metric: object): boolean {
  return 'type' in metric && metric.type === 'gauge'
}

/** Figures of several processes as those of one process. */
export function together(processes: readonly FiguresData[]): Promise<FiguresData> {
  return AggregatorRegistry.aggregate([...processes]).getMetricsAsJSON()
}

/** Figures of several processes as those of one: counts are added, levels taken as each one says. */
export function textOf(processes: readonly FiguresData[]): Promise<string> {
  return AggregatorRegistry.aggregate([...processes]).metrics()
}

export const FIGURES_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

import { CHAPTERS } from './cases/index.js'
import type { Advance, Time } from './clock.js'
import type { Exchange, Fetch } from './exchange.js'
import { CannotRun, NotApplicable, NotMet, Skipped, type Outcome } from './outcome.js'
import type { Chapter, Level, Requirement, Version } from './requirement.js'
import { Subject } from './subject.js'
import type { Target } from './target.js'

/** What became of one requirement. */
export interface Result {
  readonly chapter: string
  readonly title: string
  readonly clause: string
  readonly level: Level
  readonly outcome: Outcome
  /** Why, unless it passed. */
  readonly message: string | null
  /** What was said meanwhile, secrets masked; kept for what did not pass. */
  readonly exchanges: readonly Exchange[]
  readonly milliseconds: number
}

export interface Report {
  readonly target: { readonly name: string; readonly baseUrl: string; readonly version: Version }
  /** What the server says it is. */
  readonly server: {
    readonly name: string
    readonly specs: string
    readonly methods: readonly string[]
  }
  readonly started: Date
  readonly milliseconds: number
  readonly used: { readonly approvals: number; readonly signatures: number }
  readonly results: readonly Result[]
}

export interface RunOptions {
  /** Chapters to run: those whose name contains one of these. */
  readonly only?: readonly string[]
  /** Requirements to run, by title. */
  readonly titled?: (title: string) => boolean
  /** Stop at the first failure. */
  readonly bail?: boolean
  /** In place of the network. */
  readonly fetch?: Fetch
  /** The server's clock, where it can be moved. */
  readonly time?: Time
  readonly onResult?: (result: Result) => void
}

/**
 * Tests a server for what it claims.
 * @throws {CannotRun} when there is nothing to test
 */
export async function runConformance(target: Target, options: RunOptions = {}): Promise<Report> {
  const started = new Date()
  const time = options.time ?? timeOf(target)
  const subject = new Subject(target, { fetch: options.fetch ?? fetch, time })
  const results: Result[] = []
  try {
    await subject.start()
    for (const chapter of chaptersFor(subject.version, options.only)) {
      for await (const result of runChapter(chapter, subject, options.titled)) {
        results.push(result)
        options.onResult?.(result)
        if (options.bail && result.outcome === 'fail') return report()
      }
    }
    return report()
  } finally {
    await subject.close()
  }

  function report(): Report {
    const { info, methods, used, version, baseUrl } = subject
    const name = target.name ?? textOf(info.get('name'))
    return {
      target: { name, baseUrl, version },
      server: { name: textOf(info.get('name')), specs: textOf(info.get('specs')), methods },
      ...{ started, used, results },
      milliseconds: Date.now() - started.getTime(),
    }
  }
}

export function chaptersFor(version: Version, only: readonly string[] = []): Chapter[] {
  return CHAPTERS.filter(
    ({ name, versions }) =>
      versions.includes(version) && (only.length === 0 || only.some((part) => name.includes(part))),
  )
}

async function* runChapter(
  chapter: Chapter,
  subject: Subject,
  titled?: (title: string) => boolean,
): AsyncGenerator<Result> {
  const wanted = chapter.requirements.filter(({ title }) => titled?.(title) ?? true)
  if (wanted.length === 0) return
  const barred = await attempt(subject, async () => {
    if (chapter.method !== undefined) subject.needs(chapter.method)
    await chapter.precondition?.(subject)
  })
  try {
    yield* runRequirements(chapter, wanted, barred, subject)
  } finally {
    if (chapter.after) await attempt(subject, () => chapter.after?.(subject))
    subject.http.forgetLog()
  }
}

async function* runRequirements(
  chapter: Chapter,
  wanted: readonly Requirement[],
  barred: Ended,
  subject: Subject,
): AsyncGenerator<Result> {
  for (const requirement of wanted) {
    const started = Date.now()
    const { outcome, message } =
      barred.outcome === 'pass' ? await attempt(subject, () => requirement.trial(subject)) : barred
    const exchanges = outcome === 'fail' ? subject.http.maskedLog() : []
    subject.http.forgetLog()
    yield {
      ...describe(chapter, requirement),
      ...{ outcome: weigh(outcome, requirement.level), message },
      exchanges,
      milliseconds: Date.now() - started,
    }
  }
}

function describe({ name }: Chapter, { title, clause, level }: Requirement) {
  return { chapter: name, title, clause, level }
}

type Ended = Pick<Result, 'outcome' | 'message'>

async function attempt(
  subject: Subject,
  trial: () => Promise<void> | void | undefined,
): Promise<Ended> {
  try {
    await trial()
    return { outcome: 'pass', message: null }
  } catch (error) {
    if (error instanceof Skipped) return { outcome: 'skipped', message: error.message }
    if (error instanceof NotApplicable) return { outcome: 'not applicable', message: error.message }
    if (error instanceof CannotRun) throw error
    const message = error instanceof Error ? error.message : String(error)
    const unforeseen = error instanceof NotMet ? '' : 'the case broke off: '
    return { outcome: 'fail', message: subject.http.mask(unforeseen + message) }
  }
}

function weigh(outcome: Outcome, level: Level): Outcome {
  return outcome === 'fail' && level === 'SHOULD' ? 'warning' : outcome
}

/** The clock of this machine, moved along when a test server is asked to move its own. */
function timeOf({ advance: url, clockSkewSeconds = 0 }: Target): Time {
  let offsetSeconds = clockSkewSeconds
  const now = () => new Date(Date.now() + offsetSeconds * 1000)
  if (url === undefined) return { now, advance: null }
  const advance: Advance = async (seconds) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ seconds }),
    })
    if (!response.ok) throw new CannotRun(`${url} does not move the clock: ${response.status}`)
    offsetSeconds += seconds
  }
  return { now, advance }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

import fc from 'fast-check'

/** What applications do with one approval. */
export const STORY_KINDS = [
  /** Digest by digest. */
  'single',
  /** All in one call. */
  'batch',
  /** Some first, then the others. */
  'split',
  /** The same call twice at once, to two processes. */
  'race',
  /** One digest among the others that nobody agreed to, then without it. */
  'foreign',
  /** With the credential of somebody else, then with its own. */
  'other-credential',
  /** Fetches the result later. */
  'later',
  /** With a SAD from credentials/authorize. */
  'explicit',
  /** Trades its SAD for the next, for other digests. */
  'extend',
  /** Revokes its SAD, before signing or while. */
  'revoke',
] as const

export interface StoryPlan {
  readonly kind: (typeof STORY_KINDS)[number]
  readonly digests: number
  /** Whether it sends an Idempotency-Key. */
  readonly keyed: boolean
  /** Whether it asks again for what it has. */
  readonly again: boolean
  /** Which person and credential, modulo how many there are. */
  readonly credential: number
  /** Which process is asked, each modulo how many there are; the last one ever after. */
  readonly doors: readonly number[]
  readonly pauseMs: number
}

/** What is done to the processes, one thing after the other. */
export const PROCESS_FAULTS = [
  'kill server',
  'kill key process',
  'terminate server',
  'stop server',
  'stop server past its reservations',
  'stop key process',
] as const

/** What is done to the database, meanwhile. */
export const DATABASE_FAULTS = ['crash database', 'pause database', 'disk is full'] as const

/** What is done around them. */
export const OTHER_FAULTS = [
  'token error',
  'token error after signing',
  'token hangs',
  'token loses sessions',
  'token signs wrongly',
  'token is removed',
  'answers are cut off',
  'requests are cut off',
  'clock steps',
] as const

export const LANES = [PROCESS_FAULTS, DATABASE_FAULTS, OTHER_FAULTS] as const
/** Milliseconds between two of a lane, at most: time in which something is signed, too. */
const PAUSES = [2500, 5000, 2000]

export type Fault = (typeof LANES)[number][number]

export interface FaultPlan {
  readonly fault: Fault
  /** Which process, modulo how many there are. */
  readonly target: number
  /** Milliseconds after the one before was over. */
  readonly after: number
  readonly lengthMs: number
  /** Chooses among variants. */
  readonly variant: number
}

/** Lanes of faults go on at once, beside the applications. */
export interface RoundPlan {
  /** For each application. */
  readonly stories: readonly (readonly StoryPlan[])[]
  readonly lanes: readonly (readonly FaultPlan[])[]
}

export const LONGEST_ROUND_SECONDS = 60
/** An application hardly lives through more of them. */
export const STORIES_PER_SECOND = 2
const STORIES = LONGEST_ROUND_SECONDS * STORIES_PER_SECOND
const APPLICATIONS = 8
/** More than a round has time for. */
const TURNS = 20

const choice = fc.nat({ max: 1_000_000 })

const story: fc.Arbitrary<StoryPlan> = fc.record({
  kind: fc.constantFrom(...STORY_KINDS),
  digests: fc.integer({ min: 2, max: 6 }),
  keyed: fc.boolean(),
  again: fc.boolean(),
  credential: choice,
  doors: fc.array(choice, { minLength: 24, maxLength: 24 }),
  pauseMs: fc.integer({ min: 0, max: 250 }),
})

function lane(faults: readonly Fault[], number: number): fc.Arbitrary<FaultPlan[]> {
  // Each once, in any order, before any comes again.
  const turn = fc
    .shuffledSubarray([...faults], { minLength: faults.length })
    .chain((order) => fc.tuple(...order.map((fault) => occurrence(fault, PAUSES[number] ?? 0))))
  return fc.array(turn, { minLength: TURNS, maxLength: TURNS }).map((turns) => turns.flat())
}

function occurrence(fault: Fault, mostAfter: number): fc.Arbitrary<FaultPlan> {
  return fc.record({
    fault: fc.constant(fault),
    target: choice,
    after: fc.integer({ min: mostAfter / 5, max: mostAfter }),
    lengthMs: fc.integer({ min: 300, max: 2500 }),
    variant: choice,
  })
}

/** The same for the same seed, wherever and for how long it runs: who runs shorter takes less of it. */
export function planRound(seed: number): RoundPlan {
  const stories = fc.array(story, { minLength: STORIES, maxLength: STORIES })
  const round: fc.Arbitrary<RoundPlan> = fc.record({
    stories: fc.array(stories, { minLength: APPLICATIONS, maxLength: APPLICATIONS }),
    lanes: fc.tuple(...LANES.map(lane)),
  })
  const [plan] = fc.sample(fc.noBias(round), { seed, numRuns: 1 })
  if (!plan) throw new Error('no plan')
  return plan
}

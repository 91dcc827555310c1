import type { Subject } from './subject.js'

/** RFC 2119 words; a SHOULD that is not met is a warning, a MAY is only ever noted as not applicable. */
export type Level = 'SHALL' | 'SHOULD'
export type Version = 'v2' | 'v1' | 'v0'

export interface Clause {
  /** Where it is demanded, such as `CSC v2.0.0.2 §11.10`. */
  readonly clause: string
  readonly level?: Level
}

export type Trial = (t: Subject) => Promise<void> | void

/** One thing a server has to do, and how to see whether it does. */
export interface Requirement {
  readonly title: string
  readonly clause: string
  readonly level: Level
  readonly trial: Trial
}

/** Requirements about one subject; not applicable as a whole where `method` is not claimed. */
export interface Chapter {
  readonly name: string
  readonly versions: readonly Version[]
  /** A method of the API that `info` has to list. */
  readonly method?: string
  /** Looked at once before its cases; throws `NotApplicable` or `Skipped` for all of them. */
  readonly precondition?: Trial
  readonly requirements: readonly Requirement[]
  /** Tidies up after its cases, whatever became of them. */
  readonly after?: Trial
}

export function requirement(
  title: string,
  { clause, level = 'SHALL' }: Clause,
  trial: Trial,
): Requirement {
  return { title, clause, level, trial }
}

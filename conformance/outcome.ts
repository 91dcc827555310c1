/** How a case ended. A warning is a SHOULD that was not met. */
export type Outcome = 'pass' | 'fail' | 'warning' | 'skipped' | 'not applicable'

/** The server did not do what the requirement says. */
export class NotMet extends Error {
  override readonly name = 'NotMet'
}

/** The case could not be carried out with what the configuration allows. */
export class Skipped extends Error {
  override readonly name = 'Skipped'
}

/** The server does not claim what the case is about. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable'
}

/** Nothing can be tested: the server does not answer, or nobody can sign in. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun'
}

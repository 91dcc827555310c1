/** A function of a module of ours that runs in a process of its own; what goes in and comes out is copied. */
export interface IsolatedTask<Input, Output> {
  /** URL of the module, as others import it: it ends in `.js`. */
  readonly module: string
  /** Name under which the module exports the function. */
  readonly name: string
  /** Never there: it carries the types. */
  readonly types?: (input: Input) => Output
}

/**
 * Names a task: `isolatedTask<typeof examine>(moduleUrl('verification/examine.js'), 'examine')`. Input
 * and output are what the structured clone algorithm copies; buffers arrive as `Buffer`.
 */
export function isolatedTask<Run extends (input: never) => unknown>(
  module: URL,
  name: string,
): IsolatedTask<Parameters<Run>[0], Awaited<ReturnType<Run>>> {
  return { module: module.href, name }
}

/** How a task ended that gave no result; none of it says anything about other tasks. */
export class IsolationError extends Error {
  override readonly name = 'IsolationError'
  /** `failure`: the function threw; `end`: the process died, of lack of memory in most cases. */
  readonly why: 'time' | 'end' | 'failure'
  constructor(why: IsolationError['why'], message: string) {
    super(message)
    this.why = why
  }
}

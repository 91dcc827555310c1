/** What passes between the server and a process that runs isolated tasks. */
export interface ToIsolated {
  readonly module: string
  readonly name: string
  readonly input: unknown
}

export type FromIsolated =
  | 'ready'
  | { readonly result: unknown }
  | {
      readonly failure: {
        readonly message: string
        /** Of a ServiceError; null for what nobody foresaw. */
        readonly kind: string | null
      }
    }

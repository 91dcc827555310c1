import type { Static, TSchema } from '@sinclair/typebox'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'

/** Tells whether a value has the form that a schema states. */
export interface Validator<Value> {
  (value: unknown): value is Value
  /** Of the value looked at last. */
  readonly errors: readonly ErrorObject[]
}

const ajv = new Ajv({ allErrors: true, strict: true, keywords: ['complaint'] })

/** Compiled for the first who asks: starts and commands need none of them. */
export function validatorOf<Schema extends TSchema>(schema: Schema): Validator<Static<Schema>> {
  let compiled: ValidateFunction<Static<Schema>> | null = null
  const fits = (value: unknown): value is Static<Schema> => {
    compiled ??= ajv.compile<Static<Schema>>(schema)
    return compiled(value)
  }
  return Object.defineProperty(fits, 'errors', {
    get: () => compiled?.errors ?? [],
  }) as Validator<Static<Schema>>
}

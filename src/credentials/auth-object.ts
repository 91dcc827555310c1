/**
 * What a person proves their agreement with. `pin` and `totp` are typed in and checked as they are;
 * `email-otp` and `sms-otp` are codes sent on request.
 */
export type Factor = 'pin' | 'totp' | 'email-otp' | 'sms-otp'

/** An authentication object of the CSC API (v2, 8.3): how an application asks for one factor. */
export type AuthObject = InBandObject | OutOfBandObject

/** Answered with a value, in the request. */
export interface InBandObject {
  /** Letters, digits and underscores; the name in expressions and in `authData`. */
  readonly id: string
  readonly type: 'Password' | 'ChallengeResponse'
  readonly factor: Factor
  readonly format: 'A' | 'N'
  readonly label: string
  readonly generator?: string
}

/** Named in the request and answered on the signer's own pages, on whichever device. */
export interface OutOfBandObject {
  readonly id: string
  readonly type: 'PasswordOOB'
  readonly factor?: never
  readonly format?: never
  readonly label: string
  readonly generator?: string
}

export const AUTH_OBJECTS = {
  PIN: { id: 'PIN', type: 'Password', factor: 'pin', format: 'N', label: 'Signing PIN' },
  OTP: {
    ...{ id: 'OTP', type: 'Password', factor: 'totp', format: 'N' },
    ...{ label: 'Code from your authenticator', generator: 'totp' },
  },
  EMAIL: {
    ...{ id: 'EMAIL', type: 'ChallengeResponse', factor: 'email-otp', format: 'N' },
    label: 'Code from our e-mail',
  },
  SMS: {
    ...{ id: 'SMS', type: 'ChallengeResponse', factor: 'sms-otp', format: 'N' },
    label: 'Code from our text message',
  },
  PUSH: { id: 'PUSH', type: 'PasswordOOB', label: 'Confirm on your own pages' },
} as const satisfies Record<string, AuthObject>

type Evaluate = (given: ReadonlySet<string>) => boolean

/**
 * Compiles an expression over object ids: AND binds closest, then OR, then XOR; XOR of several is true
 * when exactly one is. An absent expression means all objects.
 * @throws {Error} on anything else, and on ids that are not among the objects
 */
export function compileAuthExpression(
  expression: string | null,
  objects: readonly Pick<AuthObject, 'id'>[],
): Evaluate {
  if (expression === null || expression.trim() === '') {
    return (given) => objects.every(({ id }) => given.has(id))
  }
  const tokens = expression.match(/[()]|\w+|[^\s\w()]+/g) ?? []
  const ids = new Set(objects.map(({ id }) => id))
  const parser = new ExpressionParser(tokens, ids)
  return parser.parse()
}

const OPERATORS = ['XOR', 'OR', 'AND'] as const

const COMBINE: Record<(typeof OPERATORS)[number], (values: readonly boolean[]) => boolean> = {
  XOR: (values) => values.filter(Boolean).length === 1,
  OR: (values) => values.some(Boolean),
  AND: (values) => values.every(Boolean),
}

class ExpressionParser {
  readonly #tokens: readonly string[]
  readonly #ids: ReadonlySet<string>
  #next = 0

  constructor(tokens: readonly string[], ids: ReadonlySet<string>) {
    this.#tokens = tokens
    this.#ids = ids
  }

  parse(): Evaluate {
    const evaluate = this.#level(0)
    if (this.#next < this.#tokens.length) throw this.#unexpected()
    return evaluate
  }

  #level(depth: number): Evaluate {
    const operator = OPERATORS[depth]
    if (operator === undefined) return this.#operand()
    const parts = [this.#level(depth + 1)]
    while (this.#tokens[this.#next] === operator) {
      this.#next += 1
      parts.push(this.#level(depth + 1))
    }
    const [only] = parts
    if (parts.length === 1 && only) return only
    return (given) => COMBINE[operator](parts.map((part) => part(given)))
  }

  #operand(): Evaluate {
    const token = this.#tokens[this.#next]
    this.#next += 1
    if (token === '(') {
      const inner = this.#level(0)
      if (this.#tokens[this.#next] !== ')') throw this.#unexpected()
      this.#next += 1
      return inner
    }
    if (token === undefined || !this.#ids.has(token)) throw this.#unexpected()
    return (given) => given.has(token)
  }

  #unexpected(): Error {
    return new Error(`The expression of a credential is wrong near token ${this.#next}`)
  }
}

import { setTimeout as pause } from 'node:timers/promises'
import { InvalidAuthenticationDataError, ServiceStoppingError } from '../../../errors.js'
import { Accepted } from '../../../http/endpoint.js'
import { authorizeCheck } from '../../credentials/authorizeCheck.js'

/** How long a call waits for the signer, who is asked on another device. */
const PATIENCE_SECONDS = 60
const BETWEEN_LOOKS_MS = 500

/** Until when a call waits that came now. */
export function patience(now: Date): Date {
  return new Date(now.getTime() + PATIENCE_SECONDS * 1000)
}

/**
 * The SAD once the signer has decided: v1 knows no answer before that (8.5).
 * @throws {InvalidAuthenticationDataError} naming no factor, when they refuse or take too long
 * @throws {ServiceStoppingError} when this process ends before they have decided
 */
export async function decided(
  asked: Accepted,
  until: Date,
  ...[caller, services, headers]: Tail<Parameters<typeof authorizeCheck.invoke>>
): Promise<IssuedSad> {
  let answer: IssuedSad | Accepted = asked
  while (answer instanceof Accepted) {
    if (services.now() > until) throw new InvalidAuthenticationDataError('too late')
    const { released } = services.departure
    await headers.rest(() =>
      pause(BETWEEN_LOOKS_MS, undefined, { signal: released }).catch(stopping),
    )
    answer = await authorizeCheck.invoke({ ...answer.body }, caller, services, headers)
  }
  return answer
}

function stopping(): never {
  throw new ServiceStoppingError('stopped waiting')
}

type Tail<Values extends readonly unknown[]> = Values extends [unknown, ...infer Rest]
  ? Rest
  : never
type IssuedSad = Exclude<Awaited<ReturnType<typeof authorizeCheck.invoke>>, Accepted>

import type { UserModel } from './prisma-client/models/User.js'

/** What of a person is under the MAC in its row: who they are, how they sign in, where codes are sent. */
export type BoundUser = Pick<
  UserModel,
  | 'id'
  | 'username'
  | 'displayName'
  | 'givenName'
  | 'surname'
  | 'email'
  | 'phone'
  | 'country'
  | 'passwordHash'
> & {
  /** SQLite knows no truth values. */
  readonly otpAtSignIn: boolean | number
}

/** The facts that belong together, in the order in which they are bound (`Secrets.bind`). */
export function userFacts(user: BoundUser): string[] {
  const { id, username, displayName, givenName, surname, passwordHash } = user
  return [
    ...['person', id, username, displayName, givenName, surname, passwordHash],
    ...[user.email ?? '', user.phone ?? '', user.country ?? ''],
    user.otpAtSignIn ? 'otp' : '',
  ]
}

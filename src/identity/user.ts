export interface User {
  readonly id: string
  readonly username: string
  readonly displayName: string
  readonly givenName: string
  readonly surname: string
  readonly email: string | null
  /** E.164, such as +37060012345. */
  readonly phone: string | null
  readonly country: string | null
  readonly otpAtSignIn: boolean
  readonly lang: string | null
  /** Whether mails tell of every signature; they do when absent. */
  readonly signatureNotices?: boolean
  readonly disabledAt: Date | null
}

/** What a person proves to be there with; it never leaves `identity/`. */
export interface UserSecrets {
  readonly passwordHash: string
  /** Base32, or null when no authenticator is enrolled. */
  readonly totpSecret: string | null
}

export interface NewUser extends Omit<User, 'disabledAt'> {
  readonly passwordHash: string
  readonly totpSecret: string | null
}

/** Absent members stay as they are. */
export interface Contact {
  readonly email?: string | null
  readonly phone?: string | null
}

/** Which mails a person gets, and in which language. */
export interface NoticeSettings {
  readonly signatureNotices: boolean
  readonly lang: string
}

/** As an operator sees them. */
export interface ListedUser extends User {
  /** Whether the row is as it was put on record. */
  readonly isIntact: boolean
}

/** A person whose row is not as it was put on record is nobody, and that is put on record (S17). */
export interface UserStore {
  find(id: string): Promise<User | null>
  findByUsername(username: string): Promise<User | null>
  /** Everybody, intact or not. */
  list(): Promise<ListedUser[]>
  /** @throws {UsernameTakenError} */
  add(user: NewUser): Promise<void>
  /** Also ends the person's grants and outstanding authorisations. Returns false when there is none to disable. */
  disable(id: string, at: Date): Promise<boolean>
  /**
   * Changes where codes are sent; codes under way and outstanding authorisations end with it. False
   * when there is no such person.
   */
  setContact(id: string, contact: Contact, at: Date): Promise<boolean>
  /** False when there is no such person. */
  setNotices(id: string, settings: NoticeSettings): Promise<boolean>
  /**
   * Takes a person as the database has them, whoever wrote it there; an authenticator that is not theirs
   * is removed. Outstanding authorisations end. False when they are intact, or there is no such person.
   */
  confirm(id: string, at: Date): Promise<boolean>
  secrets(id: string): Promise<UserSecrets | null>
  /**
   * Accepts a TOTP time step when it is newer than every step accepted before. Of concurrent calls
   * with one step, exactly one gets true.
   */
  acceptTotpStep(userId: string, step: number): Promise<boolean>
}

export class UsernameTakenError extends Error {
  override readonly name = 'UsernameTakenError'
}

/**
 * What return values of PKCS#11 mean for a signature. Values not in this table, those of vendors
 * among them, mean the worst: no one knows, and the session is gone.
 */
interface Meaning {
  readonly code: number
  /** Even when C_Sign itself returned it: the token refused before computing anything. */
  readonly refusedBeforeSigning?: true
  /** Sessions, login or handles are lost: start afresh, find keys again by their id. */
  readonly deviceLost?: true
  /** From C_Login: the configured PIN is of no use; trying again locks tokens. */
  readonly pinRefused?: true
}

/** Every return value of PKCS#11 v2.40 and v3.0, `CKR_OK` apart. */
export const MEANINGS: Readonly<Record<string, Meaning>> = {
  CKR_CANCEL: { code: 0x01 },
  CKR_HOST_MEMORY: { code: 0x02 },
  CKR_SLOT_ID_INVALID: { code: 0x03, deviceLost: true },
  CKR_GENERAL_ERROR: { code: 0x05, deviceLost: true },
  CKR_FUNCTION_FAILED: { code: 0x06 },
  CKR_ARGUMENTS_BAD: { code: 0x07, refusedBeforeSigning: true },
  CKR_NO_EVENT: { code: 0x08 },
  CKR_NEED_TO_CREATE_THREADS: { code: 0x09 },
  CKR_CANT_LOCK: { code: 0x0a },
  CKR_ATTRIBUTE_READ_ONLY: { code: 0x10 },
  CKR_ATTRIBUTE_SENSITIVE: { code: 0x11 },
  CKR_ATTRIBUTE_TYPE_INVALID: { code: 0x12 },
  CKR_ATTRIBUTE_VALUE_INVALID: { code: 0x13 },
  CKR_ACTION_PROHIBITED: { code: 0x1b },
  CKR_DATA_INVALID: { code: 0x20, refusedBeforeSigning: true },
  CKR_DATA_LEN_RANGE: { code: 0x21, refusedBeforeSigning: true },
  CKR_DEVICE_ERROR: { code: 0x30, deviceLost: true },
  CKR_DEVICE_MEMORY: { code: 0x31 },
  CKR_DEVICE_REMOVED: { code: 0x32, deviceLost: true },
  CKR_ENCRYPTED_DATA_INVALID: { code: 0x40 },
  CKR_ENCRYPTED_DATA_LEN_RANGE: { code: 0x41 },
  CKR_AEAD_DECRYPT_FAILED: { code: 0x42 },
  CKR_FUNCTION_CANCELED: { code: 0x50 },
  CKR_FUNCTION_NOT_PARALLEL: { code: 0x51 },
  CKR_FUNCTION_NOT_SUPPORTED: { code: 0x54, refusedBeforeSigning: true },
  CKR_KEY_HANDLE_INVALID: { code: 0x60, refusedBeforeSigning: true, deviceLost: true },
  CKR_KEY_SIZE_RANGE: { code: 0x62, refusedBeforeSigning: true },
  CKR_KEY_TYPE_INCONSISTENT: { code: 0x63, refusedBeforeSigning: true },
  CKR_KEY_NOT_NEEDED: { code: 0x64 },
  CKR_KEY_CHANGED: { code: 0x65 },
  CKR_KEY_NEEDED: { code: 0x66 },
  CKR_KEY_INDIGESTIBLE: { code: 0x67 },
  CKR_KEY_FUNCTION_NOT_PERMITTED: { code: 0x68, refusedBeforeSigning: true },
  CKR_KEY_NOT_WRAPPABLE: { code: 0x69 },
  CKR_KEY_UNEXTRACTABLE: { code: 0x6a },
  CKR_MECHANISM_INVALID: { code: 0x70, refusedBeforeSigning: true },
  CKR_MECHANISM_PARAM_INVALID: { code: 0x71, refusedBeforeSigning: true },
  CKR_OBJECT_HANDLE_INVALID: { code: 0x82, deviceLost: true },
  CKR_OPERATION_ACTIVE: { code: 0x90 },
  CKR_OPERATION_NOT_INITIALIZED: { code: 0x91, refusedBeforeSigning: true },
  CKR_PIN_INCORRECT: { code: 0xa0, pinRefused: true },
  CKR_PIN_INVALID: { code: 0xa1, pinRefused: true },
  CKR_PIN_LEN_RANGE: { code: 0xa2, pinRefused: true },
  CKR_PIN_EXPIRED: { code: 0xa3, pinRefused: true },
  CKR_PIN_LOCKED: { code: 0xa4, pinRefused: true },
  CKR_SESSION_CLOSED: { code: 0xb0, deviceLost: true },
  CKR_SESSION_COUNT: { code: 0xb1 },
  CKR_SESSION_HANDLE_INVALID: { code: 0xb3, deviceLost: true },
  CKR_SESSION_PARALLEL_NOT_SUPPORTED: { code: 0xb4 },
  CKR_SESSION_READ_ONLY: { code: 0xb5 },
  CKR_SESSION_EXISTS: { code: 0xb6 },
  CKR_SESSION_READ_ONLY_EXISTS: { code: 0xb7 },
  CKR_SESSION_READ_WRITE_SO_EXISTS: { code: 0xb8 },
  CKR_SIGNATURE_INVALID: { code: 0xc0 },
  CKR_SIGNATURE_LEN_RANGE: { code: 0xc1 },
  CKR_TEMPLATE_INCOMPLETE: { code: 0xd0 },
  CKR_TEMPLATE_INCONSISTENT: { code: 0xd1 },
  CKR_TOKEN_NOT_PRESENT: { code: 0xe0, deviceLost: true },
  CKR_TOKEN_NOT_RECOGNIZED: { code: 0xe1, deviceLost: true },
  CKR_TOKEN_WRITE_PROTECTED: { code: 0xe2 },
  CKR_UNWRAPPING_KEY_HANDLE_INVALID: { code: 0xf0, deviceLost: true },
  CKR_UNWRAPPING_KEY_SIZE_RANGE: { code: 0xf1 },
  CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: { code: 0xf2 },
  CKR_USER_ALREADY_LOGGED_IN: { code: 0x100 },
  CKR_USER_NOT_LOGGED_IN: { code: 0x101, refusedBeforeSigning: true, deviceLost: true },
  // No PIN was tried, and SoftHSM returns it for a moment when several processes log in.
  CKR_USER_PIN_NOT_INITIALIZED: { code: 0x102 },
  CKR_USER_TYPE_INVALID: { code: 0x103, pinRefused: true },
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: { code: 0x104 },
  CKR_USER_TOO_MANY_TYPES: { code: 0x105 },
  CKR_WRAPPED_KEY_INVALID: { code: 0x110 },
  CKR_WRAPPED_KEY_LEN_RANGE: { code: 0x112 },
  CKR_WRAPPING_KEY_HANDLE_INVALID: { code: 0x113, deviceLost: true },
  CKR_WRAPPING_KEY_SIZE_RANGE: { code: 0x114 },
  CKR_WRAPPING_KEY_TYPE_INCONSISTENT: { code: 0x115 },
  CKR_RANDOM_SEED_NOT_SUPPORTED: { code: 0x120 },
  CKR_RANDOM_NO_RNG: { code: 0x121 },
  CKR_DOMAIN_PARAMS_INVALID: { code: 0x130 },
  CKR_CURVE_NOT_SUPPORTED: { code: 0x140 },
  CKR_BUFFER_TOO_SMALL: { code: 0x150 },
  CKR_SAVED_STATE_INVALID: { code: 0x160 },
  CKR_INFORMATION_SENSITIVE: { code: 0x170 },
  CKR_STATE_UNSAVEABLE: { code: 0x180 },
  CKR_CRYPTOKI_NOT_INITIALIZED: { code: 0x190, refusedBeforeSigning: true, deviceLost: true },
  CKR_CRYPTOKI_ALREADY_INITIALIZED: { code: 0x191 },
  CKR_MUTEX_BAD: { code: 0x1a0 },
  CKR_MUTEX_NOT_LOCKED: { code: 0x1a1 },
  CKR_NEW_PIN_MODE: { code: 0x1b0, pinRefused: true },
  CKR_NEXT_OTP: { code: 0x1b1, pinRefused: true },
  CKR_EXCEEDED_MAX_ITERATIONS: { code: 0x1b5 },
  CKR_FIPS_SELF_TEST_FAILED: { code: 0x1b6, deviceLost: true },
  CKR_LIBRARY_LOAD_FAILED: { code: 0x1b7, deviceLost: true },
  CKR_PIN_TOO_WEAK: { code: 0x1b8, pinRefused: true },
  CKR_PUBLIC_KEY_INVALID: { code: 0x1b9 },
  CKR_FUNCTION_REJECTED: { code: 0x200 },
  CKR_TOKEN_RESOURCE_EXCEEDED: { code: 0x201 },
  CKR_OPERATION_CANCEL_FAILED: { code: 0x202 },
  CKR_KEY_EXHAUSTED: { code: 0x203 },
}

export interface Ckr {
  readonly name: string
  readonly code: number
  readonly refusedBeforeSigning: boolean
  readonly deviceLost: boolean
  readonly pinRefused: boolean
}

/** Vendor codes and whatever the binding says in words we do not know. */
const UNKNOWN_MEANING = { refusedBeforeSigning: false, deviceLost: true, pinRefused: false }

/**
 * Reads the return value out of whatever the binding threw: an error with a number as `code`, or
 * one with `CKR_…:n` as its text and no code at all (C_FindObjects does that).
 */
export function classifyCkr(error: unknown): Ckr {
  const { code: given, message } =
    typeof error === 'object' && error !== null
      ? (error as { code?: unknown; message?: unknown })
      : { code: undefined, message: error }
  const text = /(CKR_\w+)(?::(\d+))?/.exec(typeof message === 'string' ? message : '')
  const inText = text?.[2] === undefined ? undefined : Number(text[2])
  const code = typeof given === 'number' && given !== 0 ? given : inText
  const known = Object.entries(MEANINGS).find(([name, meaning]) =>
    code === undefined ? name === text?.[1] : meaning.code === code,
  )
  if (known === undefined) {
    return { name: text?.[1] ?? 'unknown', code: code ?? 0, ...UNKNOWN_MEANING }
  }
  const [name, meaning] = known
  return {
    name,
    code: meaning.code,
    refusedBeforeSigning: meaning.refusedBeforeSigning ?? false,
    deviceLost: meaning.deviceLost ?? false,
    pinRefused: meaning.pinRefused ?? false,
  }
}

/** A PKCS#11 call failed. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  /** The function of PKCS#11, for example `C_SignInit`. */
  readonly call: string
  readonly ckr: Ckr
  readonly #signedBefore: number
  /** @param signedBefore signatures made in the same batch, which nobody gets */
  constructor(call: string, cause: unknown, signedBefore = 0) {
    const ckr = classifyCkr(cause)
    super(`${call}: ${ckr.name} (0x${ckr.code.toString(16)})`, { cause })
    this.call = call
    this.ckr = ckr
    this.#signedBefore = signedBefore
  }

  /**
   * Whether it may well succeed when asked once more: SoftHSM fails like this while other threads make keys, or
   * another process writes what it keeps of the token.
   */
  get isInPassing(): boolean {
    return this.ckr.name === 'CKR_GENERAL_ERROR'
  }

  /** C_Sign alone makes signatures; every other call failed without one. */
  get mayHaveSigned(): boolean {
    return this.#signedBefore > 0 || (this.call === 'C_Sign' && !this.ckr.refusedBeforeSigning)
  }
}

/**
 * C_Login was not called: one more wrong PIN would lock the token (CKF_USER_PIN_FINAL_TRY), and it is not known
 * whether ours is one.
 */
export class LastTryError extends TokenError {
  constructor() {
    super('C_Login', new Error('CKR_PIN_LOCKED'))
    this.message =
      'C_Login: one more wrong PIN would lock the token, so ours is not tried; log in with the right one by another tool first'
  }
}

/** Of the tokens that the library shows, none is the one we look for, or more than one. */
export class NoSuchTokenError extends TokenError {
  constructor(label: string, shown: readonly string[]) {
    super('C_GetSlotList', new Error('CKR_TOKEN_NOT_PRESENT'))
    const others = shown.map((each) => JSON.stringify(each)).join(', ')
    if (shown.includes(label)) this.message += ': several tokens have this label'
    else this.message += shown.length > 0 ? `: there are tokens ${others}` : ': it shows no token'
  }
}

/** The call to the token that failed first, if that is why. */
export function tokenErrorIn(error: unknown): TokenError | null {
  if (error instanceof TokenError) return error
  return error instanceof Error ? tokenErrorIn(error.cause) : null
}

/** The token refused the PIN in words of its own: it counts a wrong one (CKF_USER_PIN_COUNT_LOW). */
export class CountedPinError extends TokenError {
  constructor(failure: TokenError) {
    super('C_Login', Object.assign(new Error('CKR_PIN_INCORRECT'), { cause: failure }))
    this.message = `${failure.message}, and the token counts a wrong PIN`
  }
}

/** The token refused the PIN. Whoever is started again and tries it once more may lock the token. */
export class PinRefusedError extends Error {
  override readonly name = 'PinRefusedError'
}

/** Whether this is why something failed. */
export function isPinRefused(error: unknown): boolean {
  if (error instanceof PinRefusedError) return true
  if (error instanceof TokenError) return error.call === 'C_Login' && error.ckr.pinRefused
  return error instanceof Error && isPinRefused(error.cause)
}

/** A call did not return in time. It is still under way inside the library. */
export class TokenTimeoutError extends Error {
  override readonly name = 'TokenTimeoutError'
  readonly mayHaveSigned: boolean
  /** Resolves when the call has returned after all. */
  readonly returned: Promise<void>
  constructor(call: string, mayHaveSigned: boolean, returned: Promise<void>) {
    super(`${call} did not return in time`)
    this.mayHaveSigned = mayHaveSigned
    this.returned = returned
  }
}

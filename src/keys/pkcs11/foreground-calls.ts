import { functionList } from './function-list.js'

/** Longest signature of any key we make is RSA-4096's 512 bytes. */
const SIGNATURE_SPACE = 1024

/** A CK_ULONG. */
type Ulong = bigint | number

interface Mechanism {
  readonly mechanism: number
  readonly parameter: Uint8Array | null
  readonly length: number
}

type SignInit = (session: Ulong, mechanism: Mechanism, key: Ulong) => Ulong
type Sign = (...args: [Ulong, Uint8Array, number, Buffer, Ulong[]]) => Ulong

/**
 * C_SignInit and C_Sign as they are, holding up whoever calls: for threads that have nothing else to do.
 * Failures come back as the library's own return value.
 */
export class ForegroundCalls {
  readonly #signInit: SignInit
  readonly #sign: Sign
  readonly #space = Buffer.alloc(SIGNATURE_SPACE)

  /** @param module a library that this process has initialised, whose functions are shared */
  constructor(module: string) {
    const { functions } = functionList(module)
    this.#signInit = functions.C_SignInit as SignInit
    this.#sign = functions.C_Sign as Sign
  }

  /** @returns CKR_…, 0 for success */
  signInit(
    session: Ulong,
    { type, parameter }: { readonly type: number; readonly parameter: Uint8Array | null },
    key: Ulong,
  ): number {
    const mechanism = { mechanism: type, parameter, length: parameter?.length ?? 0 }
    return Number(this.#signInit(session, mechanism, key))
  }

  /** @returns the signature, or CKR_… */
  sign(session: Ulong, data: Uint8Array): Uint8Array | number {
    const length = [SIGNATURE_SPACE]
    const returned = Number(this.#sign(session, data, data.length, this.#space, length))
    return returned === 0 ? Uint8Array.from(this.#space.subarray(0, Number(length[0]))) : returned
  }
}

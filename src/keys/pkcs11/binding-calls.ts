import type pkcs11 from 'pkcs11js'
import {
  textOf,
  type Attribute,
  type BackgroundCalls,
  type TokenSight,
} from './background-calls.js'
import type { MechanismFacts } from './session.js'

/** Calls of a library that may take long. */
export type SlowCalls = Omit<BackgroundCalls, 'isShared'>

/* eslint-disable @typescript-eslint/require-await -- failures become rejections */

/**
 * The calls of `BackgroundCalls` through the binding, on the event loop: for libraries that are another one
 * each time they are asked for their functions, as that of p11-kit is. A call that hangs then stops the
 * process, which is why it should be the key process.
 */
export class BindingCalls implements SlowCalls {
  readonly #api: pkcs11.PKCS11

  constructor(api: pkcs11.PKCS11) {
    this.#api = api
  }

  async initialise(flags: number, libraryParameters?: string): Promise<void> {
    const more = libraryParameters === undefined ? {} : { libraryParameters }
    this.#api.C_Initialize({ flags, ...more })
  }

  async finalise(): Promise<void> {
    this.#api.C_Finalize()
  }

  async slots(): Promise<Buffer[]> {
    return this.#api.C_GetSlotList(true)
  }

  async token(slot: Buffer): Promise<TokenSight> {
    const token = this.#api.C_GetTokenInfo(slot)
    return {
      label: textOf(token.label),
      manufacturer: textOf(token.manufacturerID),
      model: textOf(token.model),
      serialNumber: textOf(token.serialNumber),
      flags: token.flags,
      sessionLimits: [token.maxSessionCount, token.maxRwSessionCount],
    }
  }

  async mechanisms(slot: Buffer): Promise<Map<number, MechanismFacts>> {
    const types = this.#api.C_GetMechanismList(slot)
    return new Map(types.map((type) => [type, this.#api.C_GetMechanismInfo(slot, type)]))
  }

  async openSession(slot: Buffer, flags: number): Promise<Buffer> {
    return this.#api.C_OpenSession(slot, flags)
  }

  async closeSession(session: Buffer): Promise<void> {
    this.#api.C_CloseSession(session)
  }

  async sessionState(session: Buffer): Promise<number> {
    return this.#api.C_GetSessionInfo(session).state
  }

  async login(session: Buffer, user: number, pin: string): Promise<void> {
    this.#api.C_Login(session, user, pin)
  }

  async findObjects(
    session: Buffer,
    wanted: readonly Attribute[],
    most: number,
  ): Promise<Buffer[]> {
    return this.#search(session, wanted, () => this.#api.C_FindObjects(session, most))
  }

  async findAllObjects(session: Buffer, wanted: readonly Attribute[]): Promise<Buffer[]> {
    return this.#search(session, wanted, () => {
      const found: Buffer[] = []
      for (;;) {
        const more = this.#api.C_FindObjects(session, 100)
        if (more.length === 0) return found
        found.push(...more)
      }
    })
  }

  async attribute(session: Buffer, object: Buffer, type: number): Promise<Buffer> {
    const [attribute] = this.#api.C_GetAttributeValue(session, object, [{ type }])
    return attribute?.value ?? Buffer.alloc(0)
  }

  async destroyObject(session: Buffer, object: Buffer): Promise<void> {
    this.#api.C_DestroyObject(session, object)
  }

  async signInit(
    session: Buffer,
    { type, parameter }: { readonly type: number; readonly parameter: Buffer | null },
    key: Buffer,
  ): Promise<void> {
    const mechanism = parameter === null ? { mechanism: type } : { mechanism: type, parameter }
    this.#api.C_SignInit(session, mechanism, key)
  }

  /** A search is always ended, whatever became of it: the session is of no use otherwise. */
  #search(session: Buffer, wanted: readonly Attribute[], find: () => Buffer[]): Buffer[] {
    this.#api.C_FindObjectsInit(session, [...wanted])
    try {
      return find()
    } finally {
      this.#api.C_FindObjectsFinal(session)
    }
  }
}

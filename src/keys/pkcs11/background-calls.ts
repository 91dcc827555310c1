import {
  functionList,
  numberOf,
  ULONG_BYTES,
  type FunctionName,
  type Handle,
} from './function-list.js'
import type { MechanismFacts } from './session.js'

/*
 * The binding makes most calls on the event loop, where one that hangs stops everything (S94). These are
 * the same functions of the same loaded library, called on threads of libuv.
 */

/** Of CK_TOKEN_INFO: the label, then maker, model and serial number, then the flags; the rest only has to fit. */
const TOKEN_INFO_BYTES = 1024
const LABEL_BYTES = 32
const MANUFACTURER_ENDS = LABEL_BYTES + 32
const MODEL_ENDS = MANUFACTURER_ENDS + 16
const FLAGS_AT = MODEL_ENDS + 16
const MOST_SESSIONS_AT = FLAGS_AT + ULONG_BYTES
/** After the number of sessions there are. */
const MOST_RW_SESSIONS_AT = MOST_SESSIONS_AT + 2 * ULONG_BYTES
const ATTRIBUTE_BYTES = 1024
const CKR_BUFFER_TOO_SMALL = 0x150

/** Native code reads and writes these while a call is under way. */
const buffersInUse = new Set<readonly Buffer[]>()

export interface Attribute {
  readonly type: number
  readonly value: Buffer
}

/** What is looked at to find a token again. */
export interface TokenSight {
  readonly label: string
  /** Each token of a maker has its own. */
  readonly manufacturer: string
  readonly model: string
  readonly serialNumber: string
  /** CKF_… */
  readonly flags: number
  /** As the token says them: not every number is a limit. */
  readonly sessionLimits: readonly number[]
}

/** Filled up with blanks, or, against the standard, with zeros. */
export function textOf(field: string): string {
  return field.replace(/[\0 ]+$/, '')
}

/** Every method rejects with an error whose `code` is the return value. */
export class BackgroundCalls {
  /**
   * Whether these are the functions that others of this process got. Libraries such as p11-kit's are
   * another one each time they are asked.
   */
  readonly isShared: boolean
  readonly #functions: Readonly<Record<FunctionName, unknown>>

  constructor(module: string) {
    const { isShared, functions } = functionList(module)
    this.isShared = isShared
    this.#functions = functions
  }

  async initialise(flags: number, libraryParameters?: string): Promise<void> {
    const text = libraryParameters === undefined ? null : Buffer.from(`${libraryParameters}\0`)
    const noMutexes = { createMutex: null, destroyMutex: null, lockMutex: null, unlockMutex: null }
    const given = { ...noMutexes, flags, libraryParameters: text, reserved: null }
    await this.#call('C_Initialize', [given], ...(text === null ? [] : [text]))
  }

  async finalise(): Promise<void> {
    await this.#call('C_Finalize', [null])
  }

  /** Slots that hold a token. Asking for their number first makes the library look again. */
  async slots(): Promise<Handle[]> {
    const count = [0]
    await this.#call('C_GetSlotList', [1, null, count])
    const slots = Buffer.alloc(Math.max(1, Number(count[0])) * ULONG_BYTES)
    await this.#call('C_GetSlotList', [1, slots, count], slots)
    return pieces(slots, Number(count[0]))
  }

  async token(slot: Handle): Promise<TokenSight> {
    const info = Buffer.alloc(TOKEN_INFO_BYTES)
    await this.#call('C_GetTokenInfo', [numberOf(slot), info], info)
    const text = (from: number, to: number) => textOf(info.subarray(from, to).toString('utf8'))
    const number = (at: number) => Number(numberOf(info.subarray(at, at + ULONG_BYTES)))
    return {
      label: text(0, LABEL_BYTES),
      manufacturer: text(LABEL_BYTES, MANUFACTURER_ENDS),
      model: text(MANUFACTURER_ENDS, MODEL_ENDS),
      serialNumber: text(MODEL_ENDS, FLAGS_AT),
      flags: number(FLAGS_AT),
      sessionLimits: [number(MOST_SESSIONS_AT), number(MOST_RW_SESSIONS_AT)],
    }
  }

  /** By their numbers, CKM_…. */
  async mechanisms(slot: Handle): Promise<Map<number, MechanismFacts>> {
    const count = [0]
    await this.#call('C_GetMechanismList', [numberOf(slot), null, count])
    const types = Buffer.alloc(Math.max(1, Number(count[0])) * ULONG_BYTES)
    await this.#call('C_GetMechanismList', [numberOf(slot), types, count], types)
    const found = new Map<number, MechanismFacts>()
    for (const type of pieces(types, Number(count[0]))) {
      const info = { minKeySize: 0, maxKeySize: 0, flags: 0 }
      await this.#call('C_GetMechanismInfo', [numberOf(slot), numberOf(type), info])
      const { minKeySize, maxKeySize, flags } = info
      found.set(Number(numberOf(type)), {
        ...{ minKeySize: Number(minKeySize), maxKeySize: Number(maxKeySize) },
        flags: Number(flags),
      })
    }
    return found
  }

  async openSession(slot: Handle, flags: number): Promise<Handle> {
    const session = Buffer.alloc(ULONG_BYTES)
    await this.#call('C_OpenSession', [numberOf(slot), flags, null, null, session], session)
    return session
  }

  async closeSession(session: Handle): Promise<void> {
    await this.#call('C_CloseSession', [numberOf(session)])
  }

  /** CKS_*. */
  async sessionState(session: Handle): Promise<number> {
    const info = { state: 0 }
    await this.#call('C_GetSessionInfo', [numberOf(session), info])
    return Number(info.state)
  }

  async login(session: Handle, user: number, pin: string): Promise<void> {
    const bytes = Buffer.from(pin, 'utf8')
    await this.#call('C_Login', [numberOf(session), user, bytes, bytes.length], bytes)
  }

  findObjects(session: Handle, wanted: readonly Attribute[], most: number): Promise<Handle[]> {
    return this.#search(session, wanted, () => this.#nextObjects(session, most))
  }

  findAllObjects(session: Handle, wanted: readonly Attribute[]): Promise<Handle[]> {
    return this.#search(session, wanted, async () => {
      const found: Handle[] = []
      for (;;) {
        const more = await this.#nextObjects(session, 100)
        if (more.length === 0) return found
        found.push(...more)
      }
    })
  }

  /** A search is always ended, whatever became of it: the session is of no use otherwise. */
  async #search<T>(
    session: Handle,
    wanted: readonly Attribute[],
    find: () => Promise<T>,
  ): Promise<T> {
    const handle = numberOf(session)
    const values = wanted.map(({ value }) => value)
    const template = wanted.map(({ type, value }) => ({ type, value, length: value.length }))
    await this.#call('C_FindObjectsInit', [handle, template, template.length], ...values)
    try {
      return await find()
    } finally {
      await this.#call('C_FindObjectsFinal', [handle])
    }
  }

  async #nextObjects(session: Handle, most: number): Promise<Handle[]> {
    const objects = Buffer.alloc(most * ULONG_BYTES)
    const count = [0]
    await this.#call('C_FindObjects', [numberOf(session), objects, most, count], objects)
    return pieces(objects, Number(count[0]))
  }

  async attribute(session: Handle, object: Handle, type: number): Promise<Buffer> {
    const read = async (space: Buffer | null) => {
      const template = [{ type, value: space, length: space?.length ?? 0 }]
      const buffers = space === null ? [] : [space]
      const names = [numberOf(session), numberOf(object)]
      await this.#call('C_GetAttributeValue', [...names, template, 1], ...buffers)
      return Number(template[0]?.length ?? 0)
    }
    try {
      const space = Buffer.alloc(ATTRIBUTE_BYTES)
      return space.subarray(0, await read(space))
    } catch (error) {
      if ((error as { code?: unknown }).code !== CKR_BUFFER_TOO_SMALL) throw error
      const space = Buffer.alloc(await read(null))
      return space.subarray(0, await read(space))
    }
  }

  async destroyObject(session: Handle, object: Handle): Promise<void> {
    await this.#call('C_DestroyObject', [numberOf(session), numberOf(object)])
  }

  async signInit(
    session: Handle,
    mechanism: { readonly type: number; readonly parameter: Buffer | null },
    key: Handle,
  ): Promise<void> {
    const { type, parameter } = mechanism
    const native = { mechanism: type, parameter, length: parameter?.length ?? 0 }
    const buffers = parameter === null ? [] : [parameter]
    await this.#call('C_SignInit', [numberOf(session), native, numberOf(key)], ...buffers)
  }

  #call(name: FunctionName, args: readonly unknown[], ...buffers: Buffer[]): Promise<void> {
    const callee = this.#functions[name] as { async(...args: unknown[]): void }
    buffersInUse.add(buffers)
    return new Promise<void>((resolve, reject) => {
      callee.async(...args, (error: unknown, rv: number | bigint) => {
        if (error !== null && error !== undefined) reject(asError(error))
        else if (Number(rv) === 0) resolve()
        else reject(Object.assign(new Error(name), { code: Number(rv) }))
      })
    }).finally(() => buffersInUse.delete(buffers))
  }
}

function pieces(handles: Buffer, count: number): Handle[] {
  return Array.from({ length: count }, (_, index) =>
    Buffer.from(handles.subarray(index * ULONG_BYTES, (index + 1) * ULONG_BYTES)),
  )
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('The library could not be called')
}

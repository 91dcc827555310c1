import { koffi } from '../foreign-functions.js'

/** Handles and slot numbers come and go as the binding has them: a native CK_ULONG in a buffer. */
export type Handle = Buffer

const PROTOTYPES = {
  C_Initialize: 'CK_RV C_Initialize(CK_C_INITIALIZE_ARGS *arguments)',
  C_Finalize: 'CK_RV C_Finalize(void *reserved)',
  C_GetSlotList: 'CK_RV C_GetSlotList(uint8_t present, void *slots, _Inout_ unsigned long *count)',
  C_GetTokenInfo: 'CK_RV C_GetTokenInfo(unsigned long slot, void *info)',
  C_GetMechanismList:
    'CK_RV C_GetMechanismList(unsigned long slot, void *types, _Inout_ unsigned long *count)',
  C_GetMechanismInfo:
    'CK_RV C_GetMechanismInfo(unsigned long slot, unsigned long type, _Out_ CK_MECHANISM_INFO *info)',
  C_OpenSession:
    'CK_RV C_OpenSession(unsigned long slot, unsigned long flags, void *application, void *notify, void *session)',
  C_CloseSession: 'CK_RV C_CloseSession(unsigned long session)',
  C_GetSessionInfo: 'CK_RV C_GetSessionInfo(unsigned long session, _Out_ CK_SESSION_INFO *info)',
  C_Login:
    'CK_RV C_Login(unsigned long session, unsigned long user, void *pin, unsigned long length)',
  C_DestroyObject: 'CK_RV C_DestroyObject(unsigned long session, unsigned long object)',
  C_GetAttributeValue:
    'CK_RV C_GetAttributeValue(unsigned long session, unsigned long object, _Inout_ CK_ATTRIBUTE *template, unsigned long count)',
  C_FindObjectsInit:
    'CK_RV C_FindObjectsInit(unsigned long session, CK_ATTRIBUTE *template, unsigned long count)',
  C_FindObjects:
    'CK_RV C_FindObjects(unsigned long session, void *objects, unsigned long most, _Inout_ unsigned long *count)',
  C_FindObjectsFinal: 'CK_RV C_FindObjectsFinal(unsigned long session)',
  C_SignInit: 'CK_RV C_SignInit(unsigned long session, CK_MECHANISM *mechanism, unsigned long key)',
  C_Sign:
    'CK_RV C_Sign(unsigned long session, void *data, unsigned long length, void *signature, _Inout_ unsigned long *space)',
}
export type FunctionName = keyof typeof PROTOTYPES

/** Places in CK_FUNCTION_LIST, which is a version and then the functions in this order. */
const PLACES: Readonly<Record<FunctionName, number>> = {
  C_Initialize: 0,
  C_Finalize: 1,
  C_GetSlotList: 4,
  C_GetTokenInfo: 6,
  C_GetMechanismList: 7,
  C_GetMechanismInfo: 8,
  C_OpenSession: 12,
  C_CloseSession: 13,
  C_GetSessionInfo: 15,
  C_Login: 18,
  C_DestroyObject: 22,
  C_GetAttributeValue: 24,
  C_FindObjectsInit: 26,
  C_FindObjects: 27,
  C_FindObjectsFinal: 28,
  C_SignInit: 42,
  C_Sign: 43,
}

export const ULONG_BYTES = koffi.sizeof('unsigned long')
const POINTER_BYTES = koffi.sizeof('void *')

koffi.alias('CK_RV', 'unsigned long')
// With the member that NSS puts before the last one; where others have the last one, it is null.
koffi.struct('CK_C_INITIALIZE_ARGS', {
  ...{ createMutex: 'void *', destroyMutex: 'void *', lockMutex: 'void *', unlockMutex: 'void *' },
  ...{ flags: 'unsigned long', libraryParameters: 'void *', reserved: 'void *' },
})
koffi.struct('CK_MECHANISM_INFO', {
  minKeySize: 'unsigned long',
  maxKeySize: 'unsigned long',
  flags: 'unsigned long',
})
koffi.struct('CK_MECHANISM', {
  mechanism: 'unsigned long',
  parameter: 'void *',
  length: 'unsigned long',
})
koffi.struct('CK_ATTRIBUTE', { type: 'unsigned long', value: 'void *', length: 'unsigned long' })
koffi.struct('CK_SESSION_INFO', {
  slot: 'unsigned long',
  state: 'unsigned long',
  flags: 'unsigned long',
  deviceError: 'unsigned long',
})

/** Functions of one library, to be called by koffi. */
export interface FunctionList {
  /**
   * Whether these are the functions that others of this process got. Libraries such as p11-kit's are
   * another one each time they are asked.
   */
  readonly isShared: boolean
  readonly functions: Readonly<Record<FunctionName, unknown>>
}

/** @throws {Error} when the file is no PKCS#11 library */
export function functionList(module: string): FunctionList {
  const library = koffi.load(module)
  const getFunctionList = library.func(
    'unsigned long C_GetFunctionList(_Out_ void **list)',
  ) as unknown as (list: unknown[]) => number
  const ask = () => {
    const list: unknown[] = [null]
    if (getFunctionList(list) !== 0) throw new Error(`${module} is no PKCS#11 library`)
    return list[0]
  }
  const list = ask()
  const entries = Object.entries(PLACES).map(([name, place]) => [
    name,
    koffi.decode(
      koffi.decode(list, (1 + place) * POINTER_BYTES, 'void *'),
      prototype(name as FunctionName),
    ) as unknown,
  ])
  return {
    isShared: ask() === list,
    functions: Object.fromEntries(entries) as Record<FunctionName, unknown>,
  }
}

const prototypes = new Map<FunctionName, ReturnType<typeof koffi.pointer>>()

function prototype(name: FunctionName) {
  let known = prototypes.get(name)
  if (known === undefined) {
    known = koffi.proto(PROTOTYPES[name])
    prototypes.set(name, known)
  }
  return known
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** For koffi. */
export function numberOf(handle: Handle): bigint | number {
  if (handle.length === 4) return littleEndian ? handle.readUInt32LE() : handle.readUInt32BE()
  return littleEndian ? handle.readBigUInt64LE() : handle.readBigUInt64BE()
}

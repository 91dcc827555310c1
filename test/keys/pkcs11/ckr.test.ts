import assert from 'node:assert/strict'
import { classifyCkr, TokenError } from '../../../src/keys/pkcs11/ckr.js'
import { pkcs11, RawToken } from '../../support/raw-token.js'
import { newTestToken, openCustody } from '../../support/softhsm.js'

/** Both forms in which the binding reports one return value. */
function bothShapes(name: string, code: number): unknown[] {
  return [
    Object.assign(new Error(name), { name: 'Pkcs11Error', code }),
    new Error(`${name}:${code}`),
    Object.assign(new Error(`${name}:${code}`), { code: 0 }),
  ]
}

const codes = Object.entries(pkcs11)
  .filter(([name, value]) => name.startsWith('CKR_') && typeof value === 'number')
  .map(([name, value]) => [name, value as unknown as number] as const)

describe('Return values of PKCS#11 (S92)', () => {
  it('are the same in every shape the binding throws', () => {
    assert.ok(codes.length > 80)
    for (const [name, code] of codes) {
      const [first, ...others] = bothShapes(name, code).map(classifyCkr)
      for (const other of others) assert.deepEqual(other, first)
      assert.deepEqual({ name: first?.name, code: first?.code }, { name, code })
    }
  })

  it('are taken by their number, whatever the text says', () => {
    assert.equal(
      classifyCkr(new Error('CKR_VENDOR_DEFINED:179')).name,
      'CKR_SESSION_HANDLE_INVALID',
    )
  })

  it('mean the worst when nobody knows them', () => {
    const unknown = [
      new Error('CKR_VENDOR_DEFINED:2147483649'),
      new Error('something else'),
      new TypeError('Argument 0 has wrong type'),
      Object.assign(new Error(''), { code: 'ENOENT' }),
      'text',
      null,
      undefined,
      7,
    ]
    for (const error of unknown) {
      const { deviceLost, refusedBeforeSigning, pinRefused } = classifyCkr(error)
      assert.deepEqual([deviceLost, refusedBeforeSigning, pinRefused], [true, false, false])
    }
  })

  it('leave open whether C_Sign signed, unless they say that it was refused', () => {
    const refusals = [
      'CKR_ARGUMENTS_BAD',
      'CKR_CRYPTOKI_NOT_INITIALIZED',
      'CKR_DATA_INVALID',
      'CKR_DATA_LEN_RANGE',
      'CKR_FUNCTION_NOT_SUPPORTED',
      'CKR_KEY_FUNCTION_NOT_PERMITTED',
      'CKR_KEY_HANDLE_INVALID',
      'CKR_KEY_SIZE_RANGE',
      'CKR_KEY_TYPE_INCONSISTENT',
      'CKR_MECHANISM_INVALID',
      'CKR_MECHANISM_PARAM_INVALID',
      'CKR_OPERATION_NOT_INITIALIZED',
      'CKR_USER_NOT_LOGGED_IN',
    ]
    for (const [name, code] of codes) {
      for (const error of bothShapes(name, code)) {
        const expected = !refusals.includes(name)
        assert.equal(new TokenError('C_Sign', error).mayHaveSigned, expected, name)
        assert.equal(new TokenError('C_SignInit', error).mayHaveSigned, false, name)
      }
    }
  })

  it('tell that sessions, login or handles are lost', () => {
    const losses = [
      'CKR_SESSION_HANDLE_INVALID',
      'CKR_SESSION_CLOSED',
      'CKR_OBJECT_HANDLE_INVALID',
      'CKR_KEY_HANDLE_INVALID',
      'CKR_USER_NOT_LOGGED_IN',
      'CKR_TOKEN_NOT_PRESENT',
      'CKR_DEVICE_REMOVED',
      'CKR_DEVICE_ERROR',
      'CKR_CRYPTOKI_NOT_INITIALIZED',
    ]
    for (const name of losses) assert.ok(classifyCkr(new Error(name)).deviceLost, name)
    for (const name of ['CKR_MECHANISM_INVALID', 'CKR_DATA_LEN_RANGE', 'CKR_PIN_INCORRECT']) {
      assert.ok(!classifyCkr(new Error(name)).deviceLost, name)
    }
  })

  it('stop the pool when they are about the PIN', () => {
    for (const name of ['CKR_PIN_INCORRECT', 'CKR_PIN_LOCKED', 'CKR_PIN_EXPIRED']) {
      assert.ok(classifyCkr(new Error(name)).pinRefused, name)
    }
  })

  it('do not when no PIN was tried, as while another process logs in', () => {
    assert.ok(!classifyCkr(new Error('CKR_USER_PIN_NOT_INITIALIZED')).pinRefused)
  })

  it('are recognised as native functions throw them', async () => {
    const token = newTestToken()
    const custody = await openCustody(token, { sessions: 1 })
    const { api, slot } = new RawToken(token)
    const gone = Buffer.alloc(8, 0x7f)
    const out = Buffer.alloc(512)
    const mechanism = { mechanism: pkcs11.CKM_ECDSA }
    const calls: [string, () => unknown][] = [
      ['C_GetSessionInfo', () => api.C_GetSessionInfo(gone)],
      ['C_Login', () => api.C_Login(gone, 1, 'x')],
      ['C_FindObjectsInit', () => api.C_FindObjectsInit(gone, [])],
      ['C_FindObjects', () => api.C_FindObjects(gone, 1)],
      ['C_FindObjects, one', () => api.C_FindObjects(gone)],
      ['C_FindObjectsFinal', () => api.C_FindObjectsFinal(gone)],
      ['C_GetAttributeValue', () => api.C_GetAttributeValue(gone, gone, [{ type: 0 }])],
      ['C_DestroyObject', () => api.C_DestroyObject(gone, gone)],
      ['C_SignInit', () => api.C_SignInit(gone, mechanism, gone)],
      ['C_Sign', () => api.C_Sign(gone, out, out)],
      ['C_SignAsync', () => api.C_SignAsync(gone, out, out)],
      ['C_GenerateKeyPair', () => api.C_GenerateKeyPair(gone, mechanism, [], [])],
      ['C_GenerateKeyPairAsync', () => api.C_GenerateKeyPairAsync(gone, mechanism, [], [])],
      ['C_CloseSession', () => api.C_CloseSession(gone)],
    ]
    for (const [name, call] of calls) {
      const error = await caught(call)
      assert.equal(classifyCkr(error).name, 'CKR_SESSION_HANDLE_INVALID', name)
    }
    assert.equal(
      classifyCkr(await caught(() => api.C_OpenSession(gone, 6))).name,
      'CKR_SLOT_ID_INVALID',
    )
    assert.equal(
      classifyCkr(await caught(() => api.C_Initialize())).name,
      'CKR_CRYPTOKI_ALREADY_INITIALIZED',
    )
    api.C_CloseAllSessions(slot)
    await custody.close()
  })
})

async function caught(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return assert.fail('nothing was thrown')
}

import assert from 'node:assert/strict'
import pkcs11 from 'pkcs11js'
import { lackOf, probeToken, trialAlgorithm, wrapVariants } from '../../../src/keys/pkcs11/probe.js'
import type { MechanismFacts, TokenFacts } from '../../../src/keys/pkcs11/session.js'

const KWP = 0x210b
const WRAPS = pkcs11.CKF_WRAP | pkcs11.CKF_UNWRAP

/** A token that can do all we ever want, and what it says of one mechanism instead. */
function token(
  changed: Record<number, Partial<MechanismFacts> | null> = {},
  mostSessions: number | null = null,
): TokenFacts {
  const pair = { minKeySize: 256, maxKeySize: 521, flags: pkcs11.CKF_GENERATE_KEY_PAIR }
  const rsa = { minKeySize: 2048, maxKeySize: 4096 }
  const all: [number, MechanismFacts][] = [
    [pkcs11.CKM_EC_KEY_PAIR_GEN, pair],
    [pkcs11.CKM_ECDSA, { ...pair, flags: pkcs11.CKF_SIGN }],
    [pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, { ...rsa, flags: pkcs11.CKF_GENERATE_KEY_PAIR }],
    [pkcs11.CKM_RSA_PKCS, { ...rsa, flags: pkcs11.CKF_SIGN }],
    [pkcs11.CKM_RSA_PKCS_PSS, { ...rsa, flags: pkcs11.CKF_SIGN }],
    [pkcs11.CKM_SHA256_HMAC, { minKeySize: 0, maxKeySize: 0, flags: pkcs11.CKF_SIGN }],
    [KWP, { minKeySize: 16, maxKeySize: 32, flags: WRAPS }],
    [pkcs11.CKM_AES_CBC_PAD, { minKeySize: 16, maxKeySize: 32, flags: WRAPS }],
  ]
  const mechanisms = all.flatMap(([type, facts]): [number, MechanismFacts][] => {
    const change = changed[type]
    return change === null ? [] : [[type, { ...facts, ...change }]]
  })
  const names = { label: 'token', manufacturer: 'we', model: 'fake', serialNumber: '1' }
  return { ...names, mostSessions, mechanisms: new Map(mechanisms) }
}

const NEEDS = { algorithms: ['p-256', 'p-384'], wrapped: true, sessions: 8 } as const
const lacks = (facts: TokenFacts, needs: Parameters<typeof probeToken>[1] = NEEDS) =>
  lackOf(probeToken(facts, needs))

describe('What a token says it can do (S100)', () => {
  it('is enough when everything that is needed is there, whatever else is not', () => {
    assert.equal(lacks(token()), null)
    assert.equal(lacks(token({ [pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN]: null })), null)
    const resident = { ...NEEDS, wrapped: false }
    assert.equal(lacks(token({ [KWP]: null, [pkcs11.CKM_AES_CBC_PAD]: null }), resident), null)
  })

  it('is refused when a mechanism is missing, and its name is told', () => {
    for (const [name, words] of [
      ['CKM_EC_KEY_PAIR_GEN', 'CKM_EC_KEY_PAIR_GEN missing'],
      ['CKM_ECDSA', 'CKM_ECDSA missing'],
      ['CKM_SHA256_HMAC', 'wrapped keys: MAC'],
    ] as const) {
      assert.ok(lacks(token({ [pkcs11[name]]: null }))?.includes(words), name)
    }
  })

  it('is refused when a mechanism is there for something else', () => {
    const verifying = { flags: pkcs11.CKF_VERIFY }
    assert.match(lacks(token({ [pkcs11.CKM_ECDSA]: verifying })) ?? '', /CKM_ECDSA missing/)
    const wrapping = { flags: pkcs11.CKF_WRAP }
    const oneWay = token({ [KWP]: wrapping, [pkcs11.CKM_AES_CBC_PAD]: wrapping })
    assert.match(lacks(oneWay) ?? '', /wrapped keys: AES key wrap/)
  })

  it('is refused when keys of that size cannot be made, or cannot sign', () => {
    for (const type of [pkcs11.CKM_EC_KEY_PAIR_GEN, pkcs11.CKM_ECDSA]) {
      assert.match(lacks(token({ [type]: { maxKeySize: 256 } })) ?? '', /^p-384 keys/)
      assert.match(lacks(token({ [type]: { minKeySize: 384 } })) ?? '', /^p-256 keys/)
    }
  })

  it('is refused when there are too few sessions', () => {
    assert.match(lacks(token({}, 1)) ?? '', /sessions \(8 wanted, 1 to be had\)/)
    assert.equal(lacks(token({}, 2)), null)
    assert.match(lacks(token(), { ...NEEDS, sessions: 1 }) ?? '', /sessions \(1 wanted/)
    assert.equal(lacks(token({}, 1), { ...NEEDS, wrapped: false }), null)
  })

  it('names everything that is missing at once', () => {
    const poor = token({ [pkcs11.CKM_ECDSA]: null, [pkcs11.CKM_SHA256_HMAC]: null })
    assert.equal(lacks(poor)?.split('; ').length, 3)
  })

  it('tells the ways to wrap, the best first, and a key to try them on', () => {
    assert.deepEqual(wrapVariants(token()), ['aes-kwp', 'aes-cbc-pad'])
    assert.deepEqual(wrapVariants(token({ [KWP]: null })), ['aes-cbc-pad'])
    assert.equal(trialAlgorithm(token()), 'p-256')
    assert.equal(trialAlgorithm(token({ [pkcs11.CKM_ECDSA]: null })), 'rsa-2048')
    const none = token({ [pkcs11.CKM_ECDSA]: null, [pkcs11.CKM_RSA_PKCS]: null })
    assert.equal(trialAlgorithm(none), null)
  })
})

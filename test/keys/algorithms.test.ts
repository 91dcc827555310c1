import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import {
  ALGORITHM_POLICY,
  allowedSignAlgos,
  allowsKeyAlgorithm,
  allowsSignatureAlgorithm,
  HASH_ALGORITHMS,
  hashAlgorithmByOid,
  KEY_ALGORITHMS,
  keyAlgorithmOf,
  pssParams,
  rejectWrongDigestLength,
  signatureAlgorithm,
  type KeyAlgorithm,
} from '../../src/keys/algorithms.js'
import {
  InvalidParameterError,
  MissingParameterError,
  RefusedRequestError,
} from '../../src/errors.js'

const RSA = '1.2.840.113549.1.1.1'
const PSS = '1.2.840.113549.1.1.10'
const EC = '1.2.840.10045.2.1'
const SHA256 = '2.16.840.1.101.3.4.2.1'
const SHA384 = '2.16.840.1.101.3.4.2.2'

const WEAK_OR_UNKNOWN_HASHES = {
  'SHA-1': '1.3.14.3.2.26',
  'SHA-224': '2.16.840.1.101.3.4.2.4',
  'SHA-512/224': '2.16.840.1.101.3.4.2.5',
  MD5: '1.2.840.113549.2.5',
  MD2: '1.2.840.113549.2.2',
  'RIPEMD-160': '1.3.36.3.2.1',
  'an OID of nobody': '1.2.3.4',
  'an empty string': '',
  'a name': 'sha256',
  'the name of a built-in': 'toString',
}

const PSS_PARAMS = {
  sha256: 'MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg',
  sha384: 'MDSgDzANBglghkgBZQMEAgIFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgIFAKIDAgEw',
  sha512: 'MDSgDzANBglghkgBZQMEAgMFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgMFAKIDAgFA',
}
const PSS_HEX = Buffer.from(PSS_PARAMS.sha256, 'base64').toString('hex')

function pss(hex: string, hashAlgorithmOID?: string) {
  const signAlgoParams = Buffer.from(hex, 'hex').toString('base64')
  return signatureAlgorithm({ signAlgo: PSS, signAlgoParams, hashAlgorithmOID })
}

function refuses(run: () => unknown, message: string, kind: new (...args: never[]) => Error) {
  assert.throws(run, (error) => {
    assert.ok(error instanceof kind, String(error))
    assert.equal(error.message, message)
    return true
  })
}

describe('the algorithm policy (S58)', () => {
  it('carries the date it was decided on', () => {
    assert.match(ALGORITHM_POLICY.date, /^\d{4}-\d{2}-\d{2}$/)
  })

  it('allows every key it announces algorithms for, and no SHA-1 with any of them', () => {
    for (const name of Object.keys(KEY_ALGORITHMS) as KeyAlgorithm[]) {
      assert.ok(allowsKeyAlgorithm(name))
      for (const oid of ['1.2.840.113549.1.1.5', '1.2.840.10045.4.1', '1.2.840.113549.1.1.14']) {
        assert.ok(!KEY_ALGORITHMS[name].signAlgos.includes(oid))
      }
    }
  })

  it('does not let an RSA key sign ECDSA, an EC key RSA, or PSS with another salt length', () => {
    const hash = HASH_ALGORITHMS.sha256
    assert.equal(allowsSignatureAlgorithm('rsa-2048', { scheme: 'ecdsa', hash }), false)
    assert.equal(allowsSignatureAlgorithm('p-256', { scheme: 'rsa-pkcs1', hash }), false)
    assert.equal(
      allowsSignatureAlgorithm('p-256', { scheme: 'rsa-pss', hash, saltLength: 32 }),
      false,
    )
    assert.equal(
      allowsSignatureAlgorithm('rsa-2048', { scheme: 'rsa-pss', hash, saltLength: 20 }),
      false,
    )
    assert.equal(allowsSignatureAlgorithm('rsa-2048', { scheme: 'rsa-pss', hash }), false)
    assert.equal(
      allowsSignatureAlgorithm('rsa-2048', { scheme: 'rsa-pss', hash, saltLength: 32 }),
      true,
    )
    assert.equal(allowsSignatureAlgorithm('rsa-2048', { scheme: 'rsa-pkcs1', hash }), true)
    assert.equal(allowsSignatureAlgorithm('p-256', { scheme: 'ecdsa', hash }), true)
  })

  it('knows no key shorter than 2048 bits, on another curve or of another kind', () => {
    const spki = { type: 'spki', format: 'der' } as const
    const weak = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
      generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }),
      generateKeyPairSync('ed25519'),
    ]
    for (const { publicKey } of weak) {
      assert.equal(keyAlgorithmOf(Buffer.from(publicKey.export(spki))), null)
    }
    assert.equal(keyAlgorithmOf(Buffer.from('3000', 'hex')), null)
    assert.equal(keyAlgorithmOf(Buffer.alloc(0)), null)
    const known = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey
    assert.equal(keyAlgorithmOf(Buffer.from(known.export(spki))), 'p-521')
  })

  it('lists concrete OIDs before bare key OIDs in key.algo', () => {
    assert.deepEqual(KEY_ALGORITHMS['rsa-3072'].signAlgos, [
      '1.2.840.113549.1.1.11',
      '1.2.840.113549.1.1.12',
      '1.2.840.113549.1.1.13',
      PSS,
      RSA,
    ])
    assert.equal(KEY_ALGORITHMS['p-256'].signAlgos[0], '1.2.840.10045.4.3.2')
    assert.equal(KEY_ALGORITHMS['p-384'].signAlgos[0], '1.2.840.10045.4.3.3')
    assert.equal(KEY_ALGORITHMS['p-521'].signAlgos[0], '1.2.840.10045.4.3.4')
    assert.equal(KEY_ALGORITHMS['p-521'].signAlgos.at(-1), EC)
  })
})

describe('hashAlgorithmByOid', () => {
  for (const [name, oid] of Object.entries(WEAK_OR_UNKNOWN_HASHES)) {
    it(`refuses ${name}`, () => {
      const wanted = 'Invalid parameter hashAlgorithmOID'
      refuses(() => hashAlgorithmByOid(oid), wanted, InvalidParameterError)
    })
  }

  it('knows SHA-256, SHA-384 and SHA-512', () => {
    assert.equal(hashAlgorithmByOid(SHA256).name, 'sha256')
    assert.equal(hashAlgorithmByOid(SHA384).bytes, 48)
    assert.equal(hashAlgorithmByOid('2.16.840.1.101.3.4.2.3').bytes, 64)
  })
})

describe('signatureAlgorithm', () => {
  it('refuses a bare key OID without a hash', () => {
    for (const signAlgo of [RSA, EC]) {
      refuses(
        () => signatureAlgorithm({ signAlgo }),
        'Missing (or invalid type) string parameter hashAlgorithmOID',
        MissingParameterError,
      )
    }
  })

  it('refuses weak and unknown hashes beside every signAlgo that could take one (S58)', () => {
    const algos = [RSA, EC, '1.2.840.113549.1.1.11', '1.2.840.10045.4.3.2']
    for (const hashAlgorithmOID of Object.values(WEAK_OR_UNKNOWN_HASHES)) {
      for (const signAlgo of algos) {
        refuses(
          () => signatureAlgorithm({ signAlgo, hashAlgorithmOID }),
          'Invalid parameter hashAlgorithmOID',
          InvalidParameterError,
        )
      }
      assert.throws(() => pss(PSS_HEX, hashAlgorithmOID), InvalidParameterError)
    }
  })

  it('refuses signature algorithms that are weak, unknown or sign no digests', () => {
    const refused = [
      '1.2.840.113549.1.1.4', // MD5 with RSA
      '1.2.840.113549.1.1.5', // SHA-1 with RSA
      '1.2.840.113549.1.1.14', // SHA-224 with RSA
      '1.2.840.113549.1.1.7', // RSAES-OAEP
      '1.2.840.10045.4.1', // ECDSA with SHA-1
      '1.2.840.10045.4.3.1', // ECDSA with SHA-224
      '1.2.840.10040.4.3', // DSA
      '1.3.101.112', // Ed25519
      '0.4.0.127.0.7.1.1.4.1.3', // plain ECDSA
      '1.2.3',
      '',
      'constructor',
    ]
    for (const signAlgo of refused) {
      refuses(
        () => signatureAlgorithm({ signAlgo, hashAlgorithmOID: SHA256 }),
        'Invalid parameter signAlgo',
        InvalidParameterError,
      )
    }
  })

  it('refuses a hash that contradicts the one signAlgo implies (S5)', () => {
    const contradictions = [
      { signAlgo: '1.2.840.113549.1.1.11', hashAlgorithmOID: SHA384 },
      { signAlgo: '1.2.840.10045.4.3.3', hashAlgorithmOID: SHA256 },
      { signAlgo: PSS, signAlgoParams: PSS_PARAMS.sha512, hashAlgorithmOID: SHA256 },
    ]
    for (const parameters of contradictions) {
      refuses(
        () => signatureAlgorithm(parameters),
        'Invalid parameter hashAlgorithmOID',
        InvalidParameterError,
      )
    }
  })

  it('takes concrete OIDs with no hash or the same one', () => {
    const bare = signatureAlgorithm({ signAlgo: '1.2.840.113549.1.1.12' })
    assert.deepEqual(bare, { scheme: 'rsa-pkcs1', hash: HASH_ALGORITHMS.sha384 })
    const same = signatureAlgorithm({ signAlgo: '1.2.840.10045.4.3.2', hashAlgorithmOID: SHA256 })
    assert.deepEqual(same, { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 })
  })

  it('takes bare key OIDs with a hash', () => {
    assert.deepEqual(signatureAlgorithm({ signAlgo: RSA, hashAlgorithmOID: SHA384 }), {
      scheme: 'rsa-pkcs1',
      hash: HASH_ALGORITHMS.sha384,
    })
    assert.equal(signatureAlgorithm({ signAlgo: EC, hashAlgorithmOID: SHA256 }).scheme, 'ecdsa')
  })
})

describe('parameters of RSASSA-PSS (S5, S58)', () => {
  const invalid = (run: () => unknown) =>
    refuses(run, 'Invalid parameter signAlgoParams', InvalidParameterError)

  it('are required', () => {
    refuses(
      () => signatureAlgorithm({ signAlgo: PSS }),
      'Missing (or invalid type) string parameter signAlgoParams',
      MissingParameterError,
    )
  })

  it('are refused when they are not Base64', () => {
    const bad = [
      ...['', ' ', '%%%%', 'MDSg', PSS_PARAMS.sha256.slice(0, -1), ` ${PSS_PARAMS.sha256}`],
      ...[`${PSS_PARAMS.sha256}\n`, PSS_PARAMS.sha256.replace('+', '-') + '=', 'A'.repeat(100_000)],
    ]
    for (const signAlgoParams of bad) {
      invalid(() => signatureAlgorithm({ signAlgo: PSS, signAlgoParams }))
    }
  })

  it('are refused when they fall back on SHA-1, wholly or in part', () => {
    invalid(() => pss('3000')) // everything absent
    invalid(() => pss('3011a00f300d06096086480165030402010500')) // hash only: MGF1 with SHA-1
    invalid(() => pss('3016a00f300d06096086480165030402010500a203020120')) // no MGF1
    const withoutSalt = PSS_HEX.slice(0, -10).replace(/^3034/, '302f')
    invalid(() => pss(withoutSalt)) // 20 bytes of salt
    invalid(() => pss(PSS_HEX.replaceAll('0609608648016503040201', '06052b0e03021a')))
  })

  it('are refused when MGF1 uses another hash', () => {
    const last = PSS_HEX.lastIndexOf('608648016503040201')
    invalid(() => pss(`${PSS_HEX.slice(0, last)}608648016503040202${PSS_HEX.slice(last + 18)}`))
  })

  it('are refused when the mask is not made by MGF1', () => {
    invalid(() => pss(PSS_HEX.replace('2a864886f70d010108', '2a864886f70d010109')))
  })

  it('are refused with any salt length but the digest length', () => {
    for (const length of ['00', '14', '1f', '21', '30', '40', '7f', 'e0']) {
      invalid(() => pss(PSS_HEX.replace(/20$/, length)))
    }
    invalid(() =>
      pss(`${PSS_HEX.replace(/^3034/, '303c').slice(0, -10)}a20b0209010000000000000020`),
    )
  })

  it('are refused with another trailer field', () => {
    invalid(() => pss(`${PSS_HEX.replace(/^3034/, '3039')}a303020102`))
  })

  it('are refused with bytes behind them, missing bytes or another structure', () => {
    invalid(() => pss(`${PSS_HEX}00`))
    invalid(() => pss(PSS_HEX.slice(0, -2)))
    for (const hex of ['0500', '020101', '30820000', '3080', 'ff', '31' + PSS_HEX.slice(2)]) {
      invalid(() => pss(hex))
    }
  })

  it('are refused whichever bit of them is flipped, or else mean the same', () => {
    const der = Buffer.from(PSS_HEX, 'hex')
    for (let bit = 0; bit < der.length * 8; bit += 1) {
      const flipped = Buffer.from(der)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      try {
        const { hash, saltLength } = pss(flipped.toString('hex'))
        assert.deepEqual({ hash: hash.name, saltLength }, { hash: 'sha256', saltLength: 32 })
      } catch (error) {
        assert.ok(error instanceof InvalidParameterError, String(error))
      }
    }
  })

  it('are taken as the specification digest writes them', () => {
    for (const name of ['sha256', 'sha384', 'sha512'] as const) {
      const hash = HASH_ALGORITHMS[name]
      const algorithm = signatureAlgorithm({ signAlgo: PSS, signAlgoParams: PSS_PARAMS[name] })
      assert.deepEqual(algorithm, { scheme: 'rsa-pss', hash, saltLength: hash.bytes })
      assert.equal(pssParams(hash).toString('base64'), PSS_PARAMS[name])
    }
  })

  it('are taken without the NULL after the hashes, and with the default trailer spelt out', () => {
    const withoutNull =
      '3030' +
      'a00d300b0609608648016503040201' +
      'a11a301806092a864886f70d010108300b0609608648016503040201' +
      'a203020120'
    assert.equal(pss(withoutNull).hash.name, 'sha256')
    assert.equal(pss(`${PSS_HEX.replace(/^3034/, '3039')}a303020101`).saltLength, 32)
  })
})

describe('what info announces', () => {
  it('aligns parameters with algorithms', () => {
    const { algos, algoParams } = allowedSignAlgos()
    assert.equal(algos.length, algoParams.length)
    algos.forEach((signAlgo, index) => {
      const signAlgoParams = algoParams[index]!
      assert.equal(signAlgoParams !== '', signAlgo === PSS)
      signatureAlgorithm({
        signAlgo,
        signAlgoParams,
        hashAlgorithmOID: undefined,
        ...hashFor(signAlgo),
      })
    })
    assert.equal(algos.filter((oid) => oid === PSS).length, 3)
  })

  function hashFor(signAlgo: string) {
    return [RSA, EC].includes(signAlgo) ? { hashAlgorithmOID: SHA256 } : {}
  }
})

describe('rejectWrongDigestLength (S57)', () => {
  for (const hash of Object.values(HASH_ALGORITHMS)) {
    it(`refuses every length but ${hash.bytes} for ${hash.name}`, () => {
      for (let length = 0; length <= 200; length += 1) {
        const check = () => rejectWrongDigestLength(Buffer.alloc(length), hash)
        if (length === hash.bytes) check()
        else refuses(check, 'Invalid digest value length', RefusedRequestError)
      }
    })
  }
})

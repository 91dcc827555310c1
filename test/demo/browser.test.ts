import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CURVES,
  digest,
  SHA_256,
  SHA_384,
  SHA_512,
  signingWith,
} from '../../src/demo/browser/algorithms.js'
import { chainHolds, readCertificate, type PublicKey } from '../../src/demo/browser/certificate.js'
import {
  CHAIN_FILE,
  opensslCommand,
  shellQuote,
  signatureFile,
} from '../../src/demo/browser/downloads.js'
import {
  fromBase64,
  toBase64,
  toBase64Url,
  toHex,
  toPem,
  type Bytes,
} from '../../src/demo/browser/encoding.js'
import {
  authorizationParameters,
  challengeOf,
  newAuthorization,
  readCallback,
  tokenRequest,
} from '../../src/demo/browser/oauth.js'
import {
  A4,
  afterKey,
  describePlacement,
  rectangleOf,
  USUAL,
  within,
} from '../../src/demo/browser/placement.js'
import { samplePdf } from '../../src/demo/browser/sample-pdf.js'
import { maskAuthorization, maskJson, maskParameters } from '../../src/demo/browser/protocol-log.js'
import { rawEcdsaSignature, tamper, verify } from '../../src/demo/browser/verification.js'

const bytes = (data: Iterable<number>): Bytes => Uint8Array.from(data)
const text = (string: string): Bytes => bytes(Buffer.from(string))

describe('The demo application: how it signs with a key', () => {
  const cases = [
    ['1.2.840.10045.3.1.7', '2.16.840.1.101.3.4.2.1', '1.2.840.10045.4.3.2', 'ECDSA P-256'],
    ['1.3.132.0.34', '2.16.840.1.101.3.4.2.2', '1.2.840.10045.4.3.3', 'ECDSA P-384'],
    ['1.3.132.0.35', '2.16.840.1.101.3.4.2.3', '1.2.840.10045.4.3.4', 'ECDSA P-521'],
  ] as const
  for (const [curve, hash, signAlgo, label] of cases) {
    it(`uses the hash that fits the curve: ${label}`, () => {
      const signing = signingWith({ algo: [], len: 256, curve })
      assert.deepEqual(
        [signing?.hash.oid, signing?.signAlgo, signing?.label],
        [hash, signAlgo, label],
      )
    })
  }

  it('uses RSA with SHA-256', () => {
    const signing = signingWith({ algo: ['1.2.840.113549.1.1.1'], len: 3072 })
    assert.equal(signing?.signAlgo, '1.2.840.113549.1.1.11')
    assert.equal(signing.label, 'RSA 3072')
  })

  it('leaves out keys the browser cannot check', () => {
    assert.equal(signingWith({ algo: [], len: 256, curve: '1.3.36.3.3.2.8.1.1.7' }), null)
    assert.equal(signingWith({ algo: ['1.3.101.112'], len: 256 }), null)
  })

  for (const hash of [SHA_256, SHA_384, SHA_512]) {
    it(`computes ${hash.name} as everyone else does`, async () => {
      const expected = createHash(hash.openssl).update('contract').digest('hex')
      assert.equal(toHex(await digest(hash, text('contract'))), expected)
    })
  }
})

describe('The demo application: checking signatures', () => {
  const content = text('Lease agreement')

  function publicKeyOf(key: KeyObject, curve: (typeof CURVES)[number] | null): PublicKey {
    const spki = bytes(key.export({ type: 'spki', format: 'der' }))
    return curve ? { kind: 'EC', curve, spki } : { kind: 'RSA', spki }
  }

  for (const curve of CURVES) {
    const pair = generateKeyPairSync('ec', { namedCurve: curve.name })
    const key = publicKeyOf(pair.publicKey, curve)

    it(`accepts good signatures of ${curve.name} and no others`, async () => {
      // Often enough to meet r and s with leading zeros and with a sign byte.
      for (let round = 0; round < 300; round++) {
        const signature = bytes(sign(curve.hash.openssl, content, pair.privateKey))
        assert.equal(await verify(key, curve.hash, content, signature), true)
      }
      const signature = bytes(sign(curve.hash.openssl, content, pair.privateKey))
      assert.equal(await verify(key, curve.hash, tamper(content).content, signature), false)
      const stranger = generateKeyPairSync('ec', { namedCurve: curve.name })
      const theirs = publicKeyOf(stranger.publicKey, curve)
      assert.equal(await verify(theirs, curve.hash, content, signature), false)
    })
  }

  it('accepts good signatures of RSA and no others', async () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const key = publicKeyOf(pair.publicKey, null)
    const signature = bytes(sign('sha256', content, pair.privateKey))
    assert.equal(await verify(key, SHA_256, content, signature), true)
    assert.equal(await verify(key, SHA_256, tamper(content).content, signature), false)
    assert.equal(await verify(key, SHA_384, content, signature), false)
  })

  it('reads nothing but the DER form of an ECDSA signature', () => {
    const good = [0x30, 6, 2, 1, 5, 2, 1, 7]
    assert.deepEqual(rawEcdsaSignature(bytes(good), 2), bytes([0, 5, 0, 7]))
    for (const bad of [
      [],
      [...good, 0],
      good.slice(0, -1),
      [0x30, 3, 2, 1, 5],
      [0x30, 9, 2, 1, 5, 2, 1, 7, 2, 1, 9],
      [0x30, 6, 4, 1, 5, 2, 1, 7],
      [0x30, 8, 2, 3, 1, 2, 3, 2, 1, 7],
      Array.from({ length: 64 }, (_, i) => i),
    ]) {
      assert.equal(rawEcdsaSignature(bytes(bad), 2), null, bad.join())
    }
  })

  it('does not take a signature of another form for a valid one', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = publicKeyOf(publicKey, CURVES[0])
    for (const signature of [
      new Uint8Array(),
      new Uint8Array(64),
      bytes([0x30, 6, 2, 1, 0, 2, 1, 0]),
    ]) {
      assert.equal(await verify(key, SHA_256, content, signature), false)
    }
  })

  it('tampers with a copy: one bit, and the original stays as it was', () => {
    const original = text('abc')
    const { content: copy, at } = tamper(original)
    assert.deepEqual(original, text('abc'))
    assert.deepEqual([...copy].map((byte, i) => byte ^ (original[i] ?? 0)).filter(Boolean), [1])
    assert.equal(at, 1)
    assert.equal(tamper(new Uint8Array()).content.length, 1)
  })
})

describe('The demo application: reading certificates', () => {
  function selfSigned(key: readonly string[], subject: string): Bytes {
    const request = [
      'req',
      '-x509',
      '-nodes',
      '-keyout',
      '/dev/null',
      '-subj',
      subject,
      '-outform',
      'DER',
    ]
    return bytes(execFileSync('openssl', [...request, '-newkey', ...key], { stdio: 'pipe' }))
  }
  const ec = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']

  it('tells the holder, the issuer, the serial number, the validity and the key', () => {
    const der = selfSigned(ec, '/C=DE/O=Acme/CN=Erika Mustermann')
    const { subject, issuer, serialNumber, validFrom, validTo, publicKey } = readCertificate(der)
    const expected = new X509Certificate(der)
    assert.equal(subject, 'Erika Mustermann')
    assert.equal(issuer, 'Erika Mustermann')
    assert.equal(serialNumber, expected.serialNumber)
    assert.equal(validFrom.getTime(), Date.parse(expected.validFrom))
    assert.equal(validTo.getTime(), Date.parse(expected.validTo))
    assert.equal(publicKey.kind === 'EC' && publicKey.curve.name, 'P-384')
    const spki = expected.publicKey.export({ type: 'spki', format: 'der' })
    assert.deepEqual(publicKey.spki, bytes(spki))
  })

  it('falls back on the organization, and knows RSA', () => {
    const { subject, publicKey } = readCertificate(selfSigned(['rsa:2048'], '/O=Acme'))
    assert.deepEqual([subject, publicKey.kind], ['Acme', 'RSA'])
  })

  it('refuses what is no certificate, and keys it cannot check', () => {
    assert.throws(() => readCertificate(text('no certificate')))
    assert.throws(() => readCertificate(selfSigned(['ed25519'], '/CN=x')), /cannot be checked/)
  })

  it('sees when a chain does not hang together', async () => {
    const [one, other] = [selfSigned(ec, '/CN=one'), selfSigned(ec, '/CN=other')]
    assert.equal(await chainHolds([one, one]), true)
    assert.equal(await chainHolds([one, other]), false)
  })
})

describe('The demo application: OAuth', () => {
  const issuer = 'https://rssp.example'
  const pending = { scope: 'credential', state: 's-1', verifier: 'v-1' } as const

  it('computes the challenge of RFC 7636', async () => {
    assert.equal(
      await challengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'),
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    )
  })

  it('never uses a state or verifier twice, and neither can be guessed', () => {
    const all = Array.from({ length: 50 }, () => newAuthorization('service'))
    const values = all.flatMap(({ state, verifier }) => [state, verifier])
    assert.equal(new Set(values).size, 100)
    for (const value of values) assert.match(value, /^[\w-]{43}$/)
  })

  it('asks with PKCE S256 and never shows the verifier', async () => {
    const parameters = await authorizationParameters(pending, `${issuer}/demo/`, {
      numSignatures: '2',
    })
    assert.equal(parameters.get('code_challenge'), await challengeOf('v-1'))
    assert.equal(parameters.get('code_challenge_method'), 'S256')
    assert.equal(parameters.get('numSignatures'), '2')
    assert.equal(parameters.get('scope'), 'credential')
    assert.ok(!parameters.toString().includes('v-1'))
  })

  it('redeems the code with the same redirect URI and the verifier', () => {
    assert.deepEqual(Object.fromEntries(tokenRequest('c-1', pending, `${issuer}/demo/`)), {
      grant_type: 'authorization_code',
      code: 'c-1',
      client_id: 'openrssp-demo',
      redirect_uri: 'https://rssp.example/demo/',
      code_verifier: 'v-1',
    })
  })

  const iss = encodeURIComponent(issuer)
  it('takes a code that answers its request', () => {
    const callback = readCallback(`?code=c-1&state=s-1&iss=${iss}`, pending, issuer)
    assert.deepEqual(callback, { kind: 'code', code: 'c-1', pending })
  })

  it('takes a refusal that answers its request', () => {
    const query = `?error=access_denied&error_description=no&state=s-1&iss=${iss}`
    assert.deepEqual(readCallback(query, pending, issuer), {
      kind: 'refused',
      scope: 'credential',
      error: 'access_denied',
      description: 'no',
    })
  })

  it('sees that nothing came back', () => {
    assert.deepEqual(readCallback('', pending, issuer), { kind: 'none' })
    assert.deepEqual(readCallback('?utm_source=mail', undefined, issuer), { kind: 'none' })
  })

  for (const [query, why] of [
    [`?code=c-1&iss=${iss}`, 'state'],
    [`?code=c-1&state=s-2&iss=${iss}`, 'state'],
    [`?code=c-1&state=s-1&state=s-2&iss=${iss}`, 'state'],
    [`?error=access_denied&state=s-2&iss=${iss}`, 'state'],
    ['?code=c-1&state=s-1', 'iss'],
    ['?code=c-1&state=s-1&iss=https%3A%2F%2Fevil.example', 'iss'],
    [`?code=c-1&state=s-1&iss=${iss}%2F`, 'iss'],
    [`?code=c-1&state=s-1&iss=${iss}&iss=${iss}`, 'iss'],
    ['?error=access_denied&state=s-1', 'iss'],
    [`?state=s-1&iss=${iss}`, 'incomplete'],
    [`?code=&state=s-1&iss=${iss}`, 'incomplete'],
    [`?code=c-1&code=c-2&state=s-1&iss=${iss}`, 'incomplete'],
  ] as const) {
    it(`does not trust ${query}`, () => {
      assert.deepEqual(readCallback(query, pending, issuer), { kind: 'untrusted', why })
    })
  }

  it('does not take an answer nobody in this tab asked for', () => {
    const callback = readCallback(`?code=c-1&state=s-1&iss=${iss}`, undefined, issuer)
    assert.deepEqual(callback, { kind: 'untrusted', why: 'unexpected' })
  })
})

describe('The demo application: where a signature is seen', () => {
  const key = (name: string, more: { shiftKey?: boolean; altKey?: boolean } = {}) => {
    return afterKey(USUAL, { key: name, shiftKey: false, altKey: false, ...more })
  }

  it('moves by arrow keys, further with Shift, and grows with Alt', () => {
    assert.deepEqual(key('ArrowUp'), { ...USUAL, bottom: 21 })
    assert.deepEqual(key('ArrowLeft', { shiftKey: true }), { ...USUAL, left: 10 })
    assert.deepEqual(key('ArrowRight', { altKey: true }), { ...USUAL, width: 71 })
    assert.deepEqual(key('ArrowDown', { altKey: true, shiftKey: true }), { ...USUAL, height: 12 })
    for (const other of ['Tab', 'Enter', 'a', 'constructor']) assert.equal(key(other), null)
  })

  it('stays on the page, whatever is asked for', () => {
    const far = { page: 9, left: 1e9, bottom: -5, width: 500, height: 1 }
    assert.deepEqual(within(far, A4, 2), { page: 2, left: 0, bottom: 0, width: 210, height: 10 })
    const nothing = { page: NaN, left: NaN, bottom: NaN, width: NaN, height: NaN }
    assert.deepEqual(within(nothing, A4, 2), { page: 1, left: 0, bottom: 0, width: 25, height: 10 })
    const tiny = within(USUAL, { width: 9.9, height: 5.5 }, 1)
    assert.deepEqual(tiny, { page: 1, left: 0, bottom: 0, width: 9, height: 5 })
    for (const [left, is] of [
      [139.6, 140],
      [141, 140],
    ] as const) {
      assert.equal(within({ ...USUAL, left }, A4, 1).left, is)
    }
  })

  it('is asked for in points, from the lower left', () => {
    const rectangle = rectangleOf({ page: 1, left: 25.4, bottom: 0, width: 50.8, height: 12.7 })
    assert.deepEqual(rectangle, { x: 72, y: 0, width: 144, height: 36 })
  })

  it('is told in words', () => {
    assert.equal(
      describePlacement(USUAL),
      'Page 1, 20 mm from the left, 20 mm from the bottom, 70 by 22 mm',
    )
  })

  it('has a sample to try it on that is a PDF, whatever is written in it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-sample-'))
    try {
      writeFileSync(join(folder, 'a.pdf'), samplePdf('Made (today) \\ by ) us'))
      execFileSync('qpdf', ['--check', join(folder, 'a.pdf')])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('The demo application: the protocol log', () => {
  const secret = 'S3CRET-value-of-a-token'

  it('never holds a token, a code or a verifier', () => {
    const traces = [
      maskAuthorization(`Bearer ${secret}`),
      maskParameters(new URLSearchParams({ code: secret, code_verifier: secret, token: secret })),
      maskJson({ access_token: secret, refresh_token: secret, id_token: secret, SAD: secret }),
      maskJson({ nested: [{ SAD: secret }] }),
    ]
    for (const trace of traces) assert.ok(!trace.includes('S3CRET'), trace)
    assert.equal(traces[0], 'Bearer ‹23 characters, masked›')
  })

  it('shows everything else, and cuts what is long', () => {
    assert.equal(
      maskParameters(new URLSearchParams({ scope: 'service', state: 's-1' })),
      'scope=service\nstate=s-1',
    )
    assert.match(maskJson({ certificate: 'M'.repeat(2000) }), /M{120}… \(2000 characters\)/)
    assert.match(maskJson({ numSignatures: 2, onlyValid: true }), /"numSignatures": 2/)
  })
})

describe('The demo application: what can be taken away', () => {
  const names = [
    'contract.pdf',
    'my contract.pdf',
    'it\'s $(reboot) `x` \\ "y".txt',
    '-out',
    'über/straße;rm -rf ~.txt',
    '*',
    '!!',
    'new\nline',
  ]
  for (const name of names) {
    it(`quotes ${JSON.stringify(name)} so that the shell passes it on as it is`, () => {
      const printed = execFileSync('sh', ['-c', `printf %s ${shellQuote(name)}`]).toString()
      assert.equal(printed, name.startsWith('-') ? `./${name}` : name)
    })
  }

  it('names signature files in a way every system takes', () => {
    assert.equal(signatureFile('contract.pdf'), 'contract.pdf.sig')
    assert.equal(signatureFile('../../etc/passwd'), '_.._etc_passwd.sig')
    assert.equal(signatureFile('-rf'), 'rf.sig')
    assert.equal(signatureFile('\u202Efdp'), '_fdp.sig')
    assert.equal(signatureFile('...'), 'document.sig')
  })

  it('prints the command that checks a signature without this service', () => {
    assert.equal(
      opensslCommand('my contract.pdf', SHA_384),
      `openssl x509 -in ${CHAIN_FILE} -pubkey -noout > signer.pub\n` +
        "openssl dgst -sha384 -verify signer.pub -signature 'my contract.pdf.sig' 'my contract.pdf'",
    )
  })

  it('encodes as RFC 4648 and RFC 7468 say', () => {
    const data = bytes([0xfb, 0xff, 0xfe, 0x00])
    assert.equal(toBase64(data), '+//+AA==')
    assert.equal(toBase64Url(data), '-__-AA')
    assert.deepEqual(fromBase64('+//+AA=='), data)
    assert.equal(toHex(data), 'fbfffe00')
    assert.match(
      toPem('CERTIFICATE', new Uint8Array(100)),
      /^-----BEGIN CERTIFICATE-----\nA{64}\nA{64}\nA+=*\n-----END CERTIFICATE-----\n$/,
    )
  })
})

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import * as asn1js from 'asn1js'
import { Extension } from 'pkijs'
import { TrustAnchors } from '../../src/verification/certificate-path.js'
import { Conclusions } from '../../src/verification/conclusion.js'
import type {
  Material,
  SignatureEvidence,
  TimestampEvidence,
} from '../../src/verification/evidence.js'
import { problem } from '../../src/verification/findings.js'
import { readCertificate, type KnownCertificate } from '../../src/verification/known-certificate.js'
import { readCrl, readOcspResponse } from '../../src/verification/revocation.js'
import type { TimestampToken } from '../../src/verification/timestamp-token.js'
import {
  EKU,
  makeUp,
  makeUpCrl,
  makeUpOcsp,
  noRevAvail,
  type MadeUp,
  type MadeUpSettings,
} from '../support/made-up-pki.js'

const DAY = 86_400_000
const NOW = new Date(Math.floor(Date.now() / 1000) * 1000)
const daysAgo = (days: number) => new Date(Number(NOW) - days * DAY)
const inDays = (days: number) => daysAgo(-days)
const LONG = { notBefore: daysAgo(2000), notAfter: inDays(2000) }

const root = makeUp({ name: 'Root', authority: true, ...LONG })
const issuing = makeUp({ name: 'Issuing', issuer: root, authority: true, ...LONG })
const authority = makeUp({ name: 'TSA', issuer: issuing, eku: [EKU.timeStamping], ...LONG })

const signerOf = (settings: Partial<MadeUpSettings> = {}) =>
  makeUp({ name: 'Signer', issuer: issuing, ...LONG, ...settings })

function known({ certificate }: Pick<MadeUp, 'certificate'>): KnownCertificate {
  const read = readCertificate(certificate)
  assert.ok(read)
  return read
}

interface Story {
  readonly signer?: MadeUp
  readonly timestamps?: readonly TimestampEvidence[]
  readonly crls?: readonly Buffer[]
  readonly ocsp?: readonly Buffer[]
  readonly certificates?: readonly MadeUp[]
  readonly evidence?: Partial<SignatureEvidence>
  readonly anchors?: readonly MadeUp[]
}

const GOOD_ROOT = makeUpCrl({ issuer: root, nextUpdate: inDays(9) })
const good = (issuer = issuing, more: Partial<Parameters<typeof makeUpCrl>[0]> = {}) =>
  makeUpCrl({ issuer, nextUpdate: inDays(9), ...more })

/** What is concluded about a signature of which nothing is wrong but what the story says. */
async function conclude(story: Story = {}) {
  const { signer = signerOf(), timestamps = [], crls = [GOOD_ROOT, good()], ocsp = [] } = story
  const statements = [...crls.map(readCrl), ...ocsp.map(readOcspResponse)]
  const material: Material = {
    certificates: [issuing, root, ...(story.certificates ?? [])].map(known),
    statements: statements.filter((each) => each !== null),
  }
  const evidence: SignatureEvidence = {
    ...{ kind: 'CAdES', place: null, signer: known(signer), hashes: ['sha256'] },
    method: { scheme: 'ecdsa', hash: 'sha256' },
    ...{ signingTime: NOW, findings: [], timestamps, material, coverage: null },
    ...story.evidence,
  }
  const anchors = new TrustAnchors((story.anchors ?? [root]).map(known))
  const nothing = { certificates: [], statements: [] }
  const conclusions = new Conclusions({ anchors, now: NOW, material: nothing })
  const conclusion = await conclusions.signature(evidence, '1')
  const codes = conclusion.findings.map(({ code }) => code)
  return { ...conclusion, codes, verdict: conclusion.subIndication ?? conclusion.indication }
}

function timestamp(
  kind: TimestampEvidence['kind'],
  time: Date,
  by: MadeUp = authority,
): TimestampEvidence {
  const token: TimestampToken = {
    ...{ der: Buffer.alloc(0), time, policy: '1.2.3', serialNumber: '01', hash: 'sha256' },
    ...{ imprint: Buffer.alloc(32), authority: known(by), findings: [], hashIndex: null },
    method: { scheme: 'ecdsa', hash: 'sha256' },
    material: { certificates: [], statements: [] },
  } as unknown as TimestampToken
  return { kind, token, findings: [] }
}

describe('The conclusion about a signature (S65)', () => {
  it('is that it passes when all is well', async () => {
    const { verdict, level, codes } = await conclude()
    assert.deepEqual([verdict, level, codes], ['TOTAL-PASSED', 'B-B', ['no-proof-of-time']])
  })

  it('names the gravest of several problems', async () => {
    const findings = [
      problem('SIG_CONSTRAINTS_FAILURE', 'other-certificate-named'),
      problem('SIG_CRYPTO_FAILURE', 'signature-broken'),
    ]
    const { indication, subIndication } = await conclude({ evidence: { findings } })
    assert.deepEqual([indication, subIndication], ['TOTAL-FAILED', 'SIG_CRYPTO_FAILURE'])
  })

  describe('by its chain', () => {
    const critical = new Extension({
      ...{ extnID: '1.2.3.4.5', critical: true, extnValue: new asn1js.Null().toBER() },
    })
    const noCa = makeUp({ name: 'No CA', issuer: root, ...LONG })
    const noSigner = makeUp({
      ...{ name: 'No certificates', issuer: root, authority: true, ...LONG },
      keyUsage: ['cRLSign'],
    })
    const stories: Readonly<Record<string, [Story, string]>> = {
      'no anchor is reached': [{ anchors: [] }, 'NO_CERTIFICATE_CHAIN_FOUND'],
      'another root has the same name': [
        { anchors: [makeUp({ name: 'Root', authority: true, ...LONG })] },
        'NO_CERTIFICATE_CHAIN_FOUND',
      ],
      'there is no certificate': [{ evidence: { signer: null } }, 'NO_SIGNING_CERTIFICATE_FOUND'],
      'its issuer is no authority': [
        { signer: signerOf({ issuer: noCa }), certificates: [noCa], crls: [GOOD_ROOT, good(noCa)] },
        'NO_CERTIFICATE_CHAIN_FOUND',
      ],
      'its issuer may not sign certificates': [
        { signer: signerOf({ issuer: noSigner }), certificates: [noSigner] },
        'NO_CERTIFICATE_CHAIN_FOUND',
      ],
      'somebody else signed its certificate': [
        { signer: signerOf({ signedBy: root.key }) },
        'NO_CERTIFICATE_CHAIN_FOUND',
      ],
      'its key is for certificates': [
        { signer: signerOf({ keyUsage: ['keyCertSign'] }) },
        'CHAIN_CONSTRAINTS_FAILURE',
      ],
      'it is the key of a web server': [
        { signer: signerOf({ eku: [EKU.serverAuth] }) },
        'CHAIN_CONSTRAINTS_FAILURE',
      ],
      'its certificate says something critical that nobody knows': [
        { signer: signerOf({ more: [critical] }) },
        'CERTIFICATE_CHAIN_GENERAL_FAILURE',
      ],
      'its certificate has expired': [
        {
          signer: signerOf({ notAfter: daysAgo(1) }),
          crls: [GOOD_ROOT, good(issuing, { thisUpdate: daysAgo(2) })],
        },
        'OUT_OF_BOUNDS_NO_POE',
      ],
      'its certificate has not begun': [
        { signer: signerOf({ notBefore: inDays(1) }) },
        'OUT_OF_BOUNDS_NO_POE',
      ],
    }
    for (const [what, [story, verdict]] of Object.entries(stories)) {
      it(`is ${verdict} when ${what}`, async () => {
        assert.equal((await conclude(story)).verdict, verdict)
      })
    }
  })

  describe('by what is known of revocation', () => {
    const signer = signerOf()
    const stranger = makeUp({ name: 'Stranger', issuer: issuing, ...LONG })
    const responder = makeUp({
      ...{ name: 'Responder', issuer: issuing, eku: [EKU.ocspSigning], noCheck: true, ...LONG },
    })
    const foreign = makeUp({ name: 'Foreign', issuer: root, eku: [EKU.ocspSigning], ...LONG })
    const ocsp = (more: Partial<Parameters<typeof makeUpOcsp>[0]> = {}) => [
      makeUpOcsp({ subject: signer, issuer: issuing, ...more }),
    ]
    const stories: Readonly<Record<string, [Story, string]>> = {
      'nothing is': [{ crls: [GOOD_ROOT] }, 'TRY_LATER'],
      'the issuer says that it is good': [{ crls: [GOOD_ROOT], ocsp: ocsp() }, 'TOTAL-PASSED'],
      'somebody it certified for that says so': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ responder }) },
        'TOTAL-PASSED',
      ],
      'somebody says so whom it did not certify for that': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ responder: stranger }) },
        'TRY_LATER',
      ],
      'a responder of another authority says so': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ responder: foreign }) },
        'TRY_LATER',
      ],
      'the answer is signed by another key': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ signedBy: root.key }) },
        'TRY_LATER',
      ],
      'the answer is about another certificate': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ subject: stranger }) },
        'TRY_LATER',
      ],
      'the answer is that it is unknown': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ status: 'unknown' }) },
        'TRY_LATER',
      ],
      'the answer is old': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ thisUpdate: daysAgo(9), nextUpdate: daysAgo(8) }) },
        'TRY_LATER',
      ],
      'the answer is from the future': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ thisUpdate: inDays(1), nextUpdate: inDays(2) }) },
        'TRY_LATER',
      ],
      'the list is signed by somebody else': [
        { crls: [GOOD_ROOT, good(issuing, { signedBy: root.key })] },
        'TRY_LATER',
      ],
      'the list is about some certificates only': [
        { crls: [GOOD_ROOT, good(issuing, { criticalExtension: '2.5.29.28' })] },
        'TRY_LATER',
      ],
      'it is revoked, by a list': [
        { crls: [GOOD_ROOT, good(issuing, { revoked: [signer] })] },
        'REVOKED_NO_POE',
      ],
      'it is revoked, by one of two answers': [
        { ocsp: ocsp({ status: 'revoked', thisUpdate: daysAgo(1) }) },
        'REVOKED_NO_POE',
      ],
      'its authority is revoked': [
        { crls: [good(), good(root, { revoked: [issuing] })] },
        'REVOKED_CA_NO_POE',
      ],
    }
    for (const [what, [story, verdict]] of Object.entries(stories)) {
      it(`is ${verdict} when ${what}`, async () => {
        assert.equal((await conclude({ signer, ...story })).verdict, verdict)
      })
    }

    it('passes without any where the certificate says that there will be none', async () => {
      const shortLived = signerOf({ more: [noRevAvail()] })
      const { verdict } = await conclude({ signer: shortLived, crls: [GOOD_ROOT] })
      assert.equal(verdict, 'TOTAL-PASSED')
    })
  })

  describe('by what is proven of time', () => {
    const ended = signerOf({ notAfter: daysAgo(10) })
    const then = good(issuing, { thisUpdate: daysAgo(15), nextUpdate: inDays(9) })
    const crls = [GOOD_ROOT, then]
    const revoked = good(issuing, { revoked: [ended], thisUpdate: daysAgo(15) })
    const stories: Readonly<Record<string, [Story, string]>> = {
      'it was there before its certificate ended': [
        {
          signer: ended,
          crls: [...crls, good()],
          timestamps: [timestamp('signature', daysAgo(20))],
        },
        'TOTAL-PASSED',
      ],
      'it was there, but perhaps only after the end': [
        {
          signer: ended,
          crls: [...crls, good()],
          timestamps: [timestamp('signature', daysAgo(5))],
        },
        'OUT_OF_BOUNDS_NO_POE',
      ],
      'it was there before its certificate began': [
        {
          signer: signerOf({ notBefore: daysAgo(3) }),
          timestamps: [timestamp('signature', daysAgo(5))],
        },
        'NOT_YET_VALID',
      ],
      'the content was stamped after the end': [
        { signer: ended, crls: [...crls, good()], timestamps: [timestamp('content', daysAgo(5))] },
        'EXPIRED',
      ],
      'it was there before the revocation': [
        {
          signer: ended,
          crls: [GOOD_ROOT, good(), revoked],
          timestamps: [timestamp('signature', daysAgo(20))],
        },
        'TOTAL-PASSED',
      ],
      'the content was stamped after the revocation': [
        {
          signer: ended,
          crls: [GOOD_ROOT, good(), revoked],
          timestamps: [timestamp('content', daysAgo(12)), timestamp('signature', daysAgo(11))],
        },
        'REVOKED',
      ],
      'the content was stamped after the signature': [
        { timestamps: [timestamp('content', daysAgo(2)), timestamp('signature', daysAgo(3))] },
        'TIMESTAMP_ORDER_FAILURE',
      ],
    }
    for (const [what, [story, verdict]] of Object.entries(stories)) {
      it(`is ${verdict} when ${what}`, async () => {
        assert.equal((await conclude(story)).verdict, verdict)
      })
    }

    const oldAuthority = makeUp({
      ...{ name: 'Old TSA', issuer: issuing, eku: [EKU.timeStamping], notBefore: daysAgo(900) },
      notAfter: daysAgo(100),
    })
    const early = good(issuing, { thisUpdate: daysAgo(200), nextUpdate: inDays(9) })

    it('does not believe a timestamp whose authority has ended since', async () => {
      const stamps = [timestamp('signature', daysAgo(500), oldAuthority)]
      const found = await conclude({ timestamps: stamps, crls: [GOOD_ROOT, good(), early] })
      assert.equal(found.bestSignatureTime, null)
      assert.ok(found.codes.includes('timestamp-not-valid'))
    })

    it('believes it where another timestamp shows that it was there before', async () => {
      const stamps = [
        timestamp('signature', daysAgo(500), oldAuthority),
        timestamp('archive', daysAgo(150)),
      ]
      const found = await conclude({ timestamps: stamps, crls: [GOOD_ROOT, good(), early] })
      assert.equal(found.verdict, 'TOTAL-PASSED')
      assert.equal(found.bestSignatureTime, daysAgo(500).toISOString())
    })

    it('does not believe an authority whose certificate is for other things, too', async () => {
      for (const settings of [
        { eku: [EKU.timeStamping, EKU.serverAuth] },
        { eku: [EKU.timeStamping], ekuCritical: false },
        {},
      ]) {
        const other = makeUp({ name: 'TSA', issuer: issuing, ...LONG, ...settings })
        const found = await conclude({ timestamps: [timestamp('signature', daysAgo(1), other)] })
        assert.equal(found.timestamps[0]?.subIndication, 'CHAIN_CONSTRAINTS_FAILURE')
      }
    })

    it('does not believe a timestamp from the future', async () => {
      const found = await conclude({ timestamps: [timestamp('signature', inDays(1))] })
      assert.equal(found.timestamps[0]?.subIndication, 'TIMESTAMP_ORDER_FAILURE')
    })

    it('does not pass a signature with a timestamp that was tampered with', async () => {
      const stamp = timestamp('archive', daysAgo(1))
      const broken = { ...stamp, findings: [problem('HASH_FAILURE', 'archive-incomplete')] }
      assert.equal((await conclude({ timestamps: [broken] })).verdict, 'SIG_CONSTRAINTS_FAILURE')
    })
  })

  describe('by its algorithms', () => {
    const methods = ['md5', 'sha1'].map((hash) => ({ scheme: 'ecdsa' as const, hash }))
    for (const method of methods) {
      it(`does not trust ${method.hash}`, async () => {
        const { verdict } = await conclude({ evidence: { method, hashes: [method.hash] } })
        assert.equal(verdict, 'CRYPTO_CONSTRAINTS_FAILURE_NO_POE')
      })
    }

    for (const [what, key] of [
      ['RSA of 1024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 })],
      ['an odd curve', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ] as const) {
      it(`does not trust ${what}`, async () => {
        const signer = { ...known(signerOf()), key: key.publicKey }
        const { verdict } = await conclude({ evidence: { signer } })
        assert.equal(verdict, 'CRYPTO_CONSTRAINTS_FAILURE_NO_POE')
      })
    }

    it('trusts what was good at the proven time', async () => {
      const method = { scheme: 'ecdsa' as const, hash: 'sha224' }
      const evidence = { method, hashes: ['sha224'] }
      const timestamps = [timestamp('signature', new Date('2025-06-01T00:00:00Z'))]
      assert.equal((await conclude({ evidence, timestamps })).verdict, 'TOTAL-PASSED')
      assert.equal((await conclude({ evidence })).verdict, 'CRYPTO_CONSTRAINTS_FAILURE_NO_POE')
    })
  })
})

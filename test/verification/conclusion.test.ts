import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import * as asn1js from 'asn1js'
import { Extension } from 'pkijs'
import { TrustAnchors } from '../../src/certificates/certificate-path.js'
import { Conclusions } from '../../src/verification/conclusion.js'
import type { SignatureEvidence, TimestampEvidence } from '../../src/verification/evidence.js'
import { problem } from '../../src/verification/findings.js'
import { readCertificate, type KnownCertificate } from '../../src/certificates/known-certificate.js'
import type { Material } from '../../src/certificates/material.js'
import { readStatements } from '../../src/certificates/revocation-records.js'
import type { TimestampToken } from '../../src/timestamping/timestamp-token.js'
import { NO_POLICIES, type PolicyRules } from '../../src/verification/signature-policy.js'
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
  readonly policies?: Partial<PolicyRules>
}

const GOOD_ROOT = makeUpCrl({ issuer: root, nextUpdate: inDays(9) })
const good = (issuer = issuing, more: Partial<Parameters<typeof makeUpCrl>[0]> = {}) =>
  makeUpCrl({ issuer, nextUpdate: inDays(9), ...more })

const ISSUING_DISTRIBUTION_POINT = '2.5.29.28'
const bytesUnder = (tag: number, content: Buffer) =>
  Buffer.concat([Buffer.of(tag, content.length), content])
const ofPoint = (value: Buffer) => ({
  criticalExtension: ISSUING_DISTRIBUTION_POINT,
  criticalValue: bytesUnder(0x30, value),
})
/** onlyContainsUserCerts or onlyContainsCACerts, by their tags. */
const scope = (tag: number) => ofPoint(bytesUnder(tag, Buffer.of(0xff)))
const point = (uri: string) =>
  ofPoint(bytesUnder(0xa0, bytesUnder(0xa0, bytesUnder(0x86, Buffer.from(uri)))))

/** What is concluded about a signature of which nothing is wrong but what the story says. */
function conclude(story: Story = {}) {
  const { signer = signerOf(), timestamps = [], crls = [GOOD_ROOT, good()], ocsp = [] } = story
  const material: Material = {
    certificates: [issuing, root, ...(story.certificates ?? [])].map(known),
    statements: readStatements(crls, ocsp),
  }
  const evidence: SignatureEvidence = {
    ...{ kind: 'CAdES', place: null, signer: known(signer), hashes: ['sha256'] },
    method: { scheme: 'ecdsa', hash: 'sha256' },
    ...{ signingTime: NOW, findings: [], timestamps, material, coverage: null },
    ...story.evidence,
  }
  const anchors = new TrustAnchors((story.anchors ?? [root]).map(known))
  const nothing = { certificates: [], statements: [] }
  const policies = { ...NO_POLICIES, ...story.policies }
  const conclusions = new Conclusions({ anchors, now: NOW, material: nothing, policies })
  const conclusion = conclusions.signature(evidence, '1')
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
    ...{ imprint: Buffer.alloc(32), authority: known(by), flaws: [], hashIndex: null },
    method: { scheme: 'ecdsa', hash: 'sha256' },
    material: { certificates: [], statements: [] },
  } as unknown as TimestampToken
  return { kind, token, findings: [] }
}

function inexact({ token, ...stamp }: TimestampEvidence, days: number): TimestampEvidence {
  return { ...stamp, token: token && { ...token, accuracyMilliseconds: days * DAY } }
}

describe('The conclusion about a signature (S65)', () => {
  it('is that it passes when all is well', () => {
    const { verdict, level, codes } = conclude()
    assert.deepEqual([verdict, level, codes], ['TOTAL-PASSED', 'B-B', ['no-proof-of-time']])
  })

  it('names the gravest of several problems', () => {
    const findings = [
      problem('SIG_CONSTRAINTS_FAILURE', 'other-certificate-named'),
      problem('SIG_CRYPTO_FAILURE', 'signature-broken'),
    ]
    const { indication, subIndication } = conclude({ evidence: { findings } })
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
        'OUT_OF_BOUNDS_NOT_REVOKED',
      ],
      'its certificate has expired, and nobody tells whether it was revoked': [
        { signer: signerOf({ notAfter: daysAgo(1) }), crls: [GOOD_ROOT] },
        'OUT_OF_BOUNDS_NO_POE',
      ],
      'its certificate has not begun': [
        { signer: signerOf({ notBefore: inDays(1) }) },
        'OUT_OF_BOUNDS_NO_POE',
      ],
    }
    for (const [what, [story, verdict]] of Object.entries(stories)) {
      it(`is ${verdict} when ${what}`, () => {
        assert.equal(conclude(story).verdict, verdict)
      })
    }
  })

  describe('by what is known of revocation', () => {
    const signer = signerOf()
    const stranger = makeUp({ name: 'Stranger', issuer: issuing, ...LONG })
    const responder = makeUp({
      ...{ name: 'Responder', issuer: issuing, eku: [EKU.ocspSigning], noCheck: true, ...LONG },
    })
    const asked = makeUp({ name: 'Asked', issuer: issuing, eku: [EKU.ocspSigning], ...LONG })
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
      'the list is about users, and so is the certificate': [
        { crls: [GOOD_ROOT, good(issuing, scope(0x81))] },
        'TOTAL-PASSED',
      ],
      'the list is about authorities': [
        { crls: [GOOD_ROOT, good(issuing, scope(0x82))] },
        'TRY_LATER',
      ],
      'the list is one of several, to which the certificate does not point': [
        { crls: [GOOD_ROOT, good(issuing, point('http://127.0.0.1/2.crl'))] },
        'TRY_LATER',
      ],
      'the list is the one of several to which the certificate points': [
        {
          signer: signerOf({ crl: 'http://127.0.0.1/2.crl' }),
          crls: [GOOD_ROOT, good(issuing, point('http://127.0.0.1/2.crl'))],
        },
        'TOTAL-PASSED',
      ],
      'a responder of whom nobody knows whether it was revoked says so': [
        { crls: [GOOD_ROOT], ocsp: ocsp({ responder: asked }) },
        'TRY_LATER',
      ],
      'it is suspended': [
        { crls: [GOOD_ROOT, good(issuing, { revoked: [signer], reason: 6 })] },
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
      it(`is ${verdict} when ${what}`, () => {
        assert.equal(conclude({ signer, ...story }).verdict, verdict)
      })
    }

    it('passes without any where the certificate says that there will be none', () => {
      const shortLived = signerOf({ more: [noRevAvail()] })
      const { verdict } = conclude({ signer: shortLived, crls: [GOOD_ROOT] })
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
      'it was there, by a clock that may be wrong by more than is left until the end': [
        {
          signer: ended,
          crls: [...crls, good()],
          timestamps: [inexact(timestamp('signature', daysAgo(20)), 15)],
        },
        'OUT_OF_BOUNDS_NOT_REVOKED',
      ],
      'it was there, by a clock that is good enough for that': [
        {
          signer: ended,
          crls: [...crls, good()],
          timestamps: [inexact(timestamp('signature', daysAgo(20)), 5)],
        },
        'TOTAL-PASSED',
      ],
      'it was there, by a clock that may be wrong by years': [
        { timestamps: [inexact(timestamp('signature', daysAgo(20)), 10_000)] },
        'TOTAL-PASSED',
      ],
      'it was there, but perhaps only after the end': [
        {
          signer: ended,
          crls: [...crls, good()],
          timestamps: [timestamp('signature', daysAgo(5))],
        },
        'OUT_OF_BOUNDS_NOT_REVOKED',
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
      it(`is ${verdict} when ${what}`, () => {
        assert.equal(conclude(story).verdict, verdict)
      })
    }

    describe('and of what proves it', () => {
      const gone = makeUp({
        ...{ name: 'Gone', issuer: root, authority: true },
        ...{ notBefore: daysAgo(900), notAfter: daysAgo(30) },
      })
      const signer = makeUp({
        ...{ name: 'Signer', issuer: gone, notBefore: daysAgo(900), notAfter: daysAgo(35) },
      })
      const then = { thisUpdate: daysAgo(40) }
      const story = (archive: readonly TimestampEvidence[]): Story => ({
        signer,
        certificates: [gone],
        crls: [GOOD_ROOT, good(), ...[root, gone].map((each) => good(each, then))],
        timestamps: [timestamp('signature', daysAgo(45)), ...archive],
      })
      const stamp = timestamp('archive', daysAgo(32))

      it('does not believe a list that may have been made after the end of its authority', () => {
        assert.equal(conclude(story([])).verdict, 'TRY_LATER')
      })

      it('believes it where a timestamp over it shows that it was there before', () => {
        assert.equal(conclude(story([stamp])).verdict, 'TOTAL-PASSED')
      })

      it('does not believe it where the timestamp is over other things, or too late', () => {
        const others = { ...stamp, covers: new Set<string>() }
        assert.equal(conclude(story([others])).verdict, 'TRY_LATER')
        assert.equal(conclude(story([timestamp('archive', daysAgo(20))])).verdict, 'TRY_LATER')
      })

      it('does not take a timestamp for proven by one that is not over it', () => {
        const ended = makeUp({
          ...{ name: 'Old TSA', issuer: issuing, eku: [EKU.timeStamping], notBefore: daysAgo(900) },
          notAfter: daysAgo(100),
        })
        const archive = { ...timestamp('archive', daysAgo(150)), covers: new Set<string>() }
        const lists = [GOOD_ROOT, good(issuing, { thisUpdate: daysAgo(200) })]
        const stamps = [timestamp('signature', daysAgo(500), ended), archive]
        const { bestSignatureTime } = conclude({ timestamps: stamps, crls: lists })
        assert.equal(bestSignatureTime, daysAgo(150).toISOString())
      })
    })

    const oldAuthority = makeUp({
      ...{ name: 'Old TSA', issuer: issuing, eku: [EKU.timeStamping], notBefore: daysAgo(900) },
      notAfter: daysAgo(100),
    })
    const early = good(issuing, { thisUpdate: daysAgo(200), nextUpdate: inDays(9) })

    it('does not believe a timestamp whose authority has ended since', () => {
      const stamps = [timestamp('signature', daysAgo(500), oldAuthority)]
      const found = conclude({ timestamps: stamps, crls: [GOOD_ROOT, good(), early] })
      assert.equal(found.bestSignatureTime, null)
      assert.ok(found.codes.includes('timestamp-not-valid'))
    })

    it('believes it where another timestamp shows that it was there before', () => {
      const stamps = [
        timestamp('signature', daysAgo(500), oldAuthority),
        timestamp('archive', daysAgo(150)),
      ]
      const found = conclude({ timestamps: stamps, crls: [GOOD_ROOT, good(), early] })
      assert.equal(found.verdict, 'TOTAL-PASSED')
      assert.equal(found.bestSignatureTime, daysAgo(500).toISOString())
    })

    it('does not believe an authority whose certificate is for other things, too', () => {
      for (const settings of [
        { eku: [EKU.timeStamping, EKU.serverAuth] },
        { eku: [EKU.timeStamping], ekuCritical: false },
        {},
      ]) {
        const other = makeUp({ name: 'TSA', issuer: issuing, ...LONG, ...settings })
        const found = conclude({ timestamps: [timestamp('signature', daysAgo(1), other)] })
        assert.equal(found.timestamps[0]?.subIndication, 'CHAIN_CONSTRAINTS_FAILURE')
      }
    })

    it('does not believe an authority whose key is weak', () => {
      const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
      const stamp = timestamp('signature', daysAgo(1))
      const token = { ...stamp.token, authority: { ...known(authority), key: publicKey } }
      const found = conclude({ timestamps: [{ ...stamp, token: token as TimestampToken }] })
      const [first] = found.timestamps
      assert.equal(first?.subIndication, 'CRYPTO_CONSTRAINTS_FAILURE_NO_POE')
      assert.equal(found.bestSignatureTime, null)
    })

    it('does not believe timestamps in an order in which nothing can have happened', () => {
      for (const [first, second] of [
        ['signature', 'content'],
        ['archive', 'content'],
        ['archive', 'signature'],
        ['document', 'signature'],
      ] as const) {
        const timestamps = [timestamp(first, daysAgo(9)), timestamp(second, daysAgo(8))]
        const found = conclude({ timestamps })
        assert.ok(found.codes.includes('timestamp-order'), `${first} before ${second}`)
        assert.notEqual(found.indication, 'TOTAL-PASSED')
      }
    })

    it('does not believe a timestamp from the future', () => {
      const found = conclude({ timestamps: [timestamp('signature', inDays(1))] })
      assert.equal(found.timestamps[0]?.subIndication, 'TIMESTAMP_ORDER_FAILURE')
    })

    it('does not pass a signature with a timestamp that was tampered with', () => {
      const stamp = timestamp('archive', daysAgo(1))
      const broken = { ...stamp, findings: [problem('HASH_FAILURE', 'archive-incomplete')] }
      assert.equal(conclude({ timestamps: [broken] }).verdict, 'SIG_CONSTRAINTS_FAILURE')
    })
  })

  describe('by its algorithms', () => {
    const methods = ['md5', 'sha1'].map((hash) => ({ scheme: 'ecdsa' as const, hash }))
    for (const method of methods) {
      it(`does not trust ${method.hash}`, () => {
        const { verdict } = conclude({ evidence: { method, hashes: [method.hash] } })
        assert.equal(verdict, 'CRYPTO_CONSTRAINTS_FAILURE_NO_POE')
      })
    }

    for (const [what, key] of [
      ['RSA of 1024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 })],
      ['an odd curve', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ] as const) {
      it(`does not trust ${what}`, () => {
        const signer = { ...known(signerOf()), key: key.publicKey }
        const { verdict } = conclude({ evidence: { signer } })
        assert.equal(verdict, 'CRYPTO_CONSTRAINTS_FAILURE_NO_POE')
      })
    }

    it('says so where it is proven that it was used later', () => {
      const evidence = { method: { scheme: 'ecdsa' as const, hash: 'sha224' }, hashes: ['sha224'] }
      const timestamps = [timestamp('content', daysAgo(1))]
      assert.equal(conclude({ evidence, timestamps }).verdict, 'CRYPTO_CONSTRAINTS_FAILURE')
    })

    it('trusts what was good at the proven time', () => {
      const method = { scheme: 'ecdsa' as const, hash: 'sha224' }
      const evidence = { method, hashes: ['sha224'] }
      const timestamps = [timestamp('signature', new Date('2025-06-01T00:00:00Z'))]
      assert.equal(conclude({ evidence, timestamps }).verdict, 'TOTAL-PASSED')
      assert.equal(conclude({ evidence }).verdict, 'CRYPTO_CONSTRAINTS_FAILURE_NO_POE')
    })
  })
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as asn1js from 'asn1js'
import { CertificatePolicies, Extension, GeneralName, PolicyInformation } from 'pkijs'
import { pathFlaws } from '../../src/certificates/certificate-path.js'
import { knownCertificate } from '../../src/certificates/known-certificate.js'
import { encodeName } from '../../src/certificates/distinguished-name.js'
import { makeUp, type MadeUp } from '../support/made-up-pki.js'

type Names = readonly GeneralName[]
const email = (value: string) => new GeneralName({ type: 1, value })
const dns = (value: string) => new GeneralName({ type: 2, value })
const uri = (value: string) => new GeneralName({ type: 6, value })
const ip = (bytes: string) =>
  new GeneralName({
    type: 7,
    value: new asn1js.OctetString({ valueHex: Buffer.from(bytes, 'hex') }),
  })
const directory = (commonName: string): asn1js.AsnType =>
  new asn1js.Constructed({
    idBlock: { tagClass: 3, tagNumber: 4 },
    value: [asn1js.fromBER(encodeName({ commonName })).result],
  })

function extension(extnID: string, value: asn1js.AsnType, critical = true): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER() })
}

const sequence = (...value: asn1js.AsnType[]) => new asn1js.Sequence({ value })
const tagged = (tagNumber: number, ...value: asn1js.AsnType[]) =>
  new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value })
const schemaOf = (name: GeneralName | asn1js.AsnType) =>
  name instanceof GeneralName ? (name.toSchema() as asn1js.AsnType) : name

function constraints(
  permitted: readonly (GeneralName | asn1js.AsnType)[],
  excluded: readonly (GeneralName | asn1js.AsnType)[] = [],
): Extension {
  const subtrees = (tag: number, names: typeof permitted) =>
    names.length > 0 ? [tagged(tag, ...names.map((each) => sequence(schemaOf(each))))] : []
  return extension('2.5.29.30', sequence(...subtrees(0, permitted), ...subtrees(1, excluded)))
}

const called = (...names: Names) => extension('2.5.29.17', sequence(...names.map(schemaOf)), false)

function policies(...oids: string[]): Extension {
  const certificatePolicies = oids.map((policyIdentifier) => {
    return new PolicyInformation({ policyIdentifier })
  })
  return extension('2.5.29.32', new CertificatePolicies({ certificatePolicies }).toSchema(), false)
}
const needsPolicy = (skip = 0) =>
  extension(
    '2.5.29.36',
    sequence(
      new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: Buffer.of(skip) }),
    ),
  )
const mapping = (from: string, to: string) =>
  extension(
    '2.5.29.33',
    sequence(
      sequence(
        new asn1js.ObjectIdentifier({ value: from }),
        new asn1js.ObjectIdentifier({ value: to }),
      ),
    ),
  )
const inhibitsAny = () => extension('2.5.29.54', new asn1js.Integer({ value: 0 }))
const ANY = '2.5.29.32.0'

describe('What authorities say of those below them, by RFC 5280, 6.1 (S65)', () => {
  const directoryName = mkdtempSync(join(tmpdir(), 'openrssp-path-'))
  const root = makeUp({ name: 'Root', authority: true })
  after(() => rmSync(directoryName, { recursive: true }))

  type Story = readonly [authority: readonly Extension[], signer: readonly Extension[]]
  const kept: Readonly<Record<string, Story>> = {
    'its name is below that which is permitted': [[constraints([directory('Signer')])], []],
    'names that are permitted may be written in capitals': [
      [constraints([directory('SIGNER')])],
      [],
    ],
    'its host is below the domain that is permitted': [
      [constraints([dns('example.com')])],
      [called(dns('a.EXAMPLE.com'))],
    ],
    'its mailbox is of the host that is permitted': [
      [constraints([email('example.com')])],
      [called(email('a@example.com'))],
    ],
    'its mailbox is of a host below': [
      [constraints([email('.example.com')])],
      [called(email('a@b.example.com'))],
    ],
    'its address is in the net that is permitted': [
      [constraints([ip('0a000000ff000000')])],
      [called(ip('0a010203'))],
    ],
    'its URI is of the host that is permitted': [
      [constraints([uri('.example.com')])],
      [called(uri('https://a.example.com/x'))],
    ],
    'it has no name of the kind that is constrained': [[constraints([], [dns('example.com')])], []],
    'a policy is needed, and there all the way': [
      [needsPolicy(), policies('1.2.3')],
      [policies('1.2.3')],
    ],
    'any policy stands for the one below': [[needsPolicy(), policies(ANY)], [policies('1.2.3')]],
    'a policy of the authority is that of the signer under another name': [
      [needsPolicy(), policies('1.2.3'), mapping('1.2.3', '1.2.4')],
      [policies('1.2.4')],
    ],
    'a policy is needed, but only further down': [[needsPolicy(3)], []],
  }
  const broken: Readonly<Record<string, Story>> = {
    'its name is another than that which is permitted': [[constraints([directory('Other')])], []],
    'its name is excluded': [[constraints([], [directory('Signer')])], []],
    'its host is below no domain that is permitted': [
      [constraints([dns('example.com')])],
      [called(dns('badexample.com'))],
    ],
    'one of its hosts is excluded': [
      [constraints([], [dns('example.com')])],
      [called(dns('good.test'), dns('a.example.com'))],
    ],
    'its mailbox is of a host below, and only the host is permitted': [
      [constraints([email('example.com')])],
      [called(email('a@b.example.com'))],
    ],
    'its mailbox is another than the one that is permitted': [
      [constraints([email('b@example.com')])],
      [called(email('a@example.com'))],
    ],
    'its address is in another net': [
      [constraints([ip('0a000000ff000000')])],
      [called(ip('0b010203'))],
    ],
    'its URI is of another host': [
      [constraints([uri('example.com')])],
      [called(uri('https://example.org/example.com'))],
    ],
    'a policy is needed, and the signer has none': [[needsPolicy(), policies('1.2.3')], []],
    'a policy is needed, and the signer has another': [
      [needsPolicy(), policies('1.2.3')],
      [policies('1.2.4')],
    ],
    'any policy does not count any more': [
      [needsPolicy(), policies('1.2.3'), inhibitsAny()],
      [policies(ANY)],
    ],
    'the policy that was mapped is used by its old name': [
      [needsPolicy(), policies('1.2.3'), mapping('1.2.3', '1.2.4')],
      [policies('1.2.3')],
    ],
  }

  const flawsOf = (path: readonly MadeUp[]) =>
    pathFlaws(
      path.map(({ certificate }) => knownCertificate(certificate)),
      new Date(),
      'signature',
    ).map(({ code }) => code)

  for (const [stories, flaws] of [
    [kept, []],
    [broken, ['constraints']],
  ] as const) {
    for (const [what, [above, below]] of Object.entries(stories)) {
      it(`are ${flaws.length === 0 ? 'kept' : 'broken'} when ${what}, as openssl says`, () => {
        const issuing = makeUp({ name: 'Issuing', issuer: root, authority: true, more: above })
        const signer = makeUp({ name: 'Signer', issuer: issuing, more: below })
        assert.deepEqual(flawsOf([signer, issuing, root]), flaws)
        assert.equal(isGoodToOpenssl([signer, issuing, root]), flaws.length === 0)
      })
    }
  }

  it('are broken where the kind of name is not understood', () => {
    const unknown = constraints([tagged(8, new asn1js.ObjectIdentifier({ value: '1.2.3.4' }))])
    const issuing = makeUp({ name: 'Issuing', issuer: root, authority: true, more: [unknown] })
    const other = extension(
      '2.5.29.17',
      sequence(tagged(8, new asn1js.ObjectIdentifier({ value: '1.2.3.4' }), tagged(0))),
    )
    const signer = makeUp({ name: 'Signer', issuer: issuing, more: [other] })
    assert.deepEqual(flawsOf([signer, issuing, root]), ['constraints'])
  })

  it('go for those of authorities far above, too', () => {
    const top = makeUp({
      ...{ name: 'Top', issuer: root, authority: true },
      more: [constraints([], [directory('Signer')])],
    })
    const issuing = makeUp({ name: 'Issuing', issuer: top, authority: true })
    const signer = makeUp({ name: 'Signer', issuer: issuing })
    assert.deepEqual(flawsOf([signer, issuing, top, root]), ['constraints'])
  })

  function isGoodToOpenssl([signer, issuing, anchor]: readonly MadeUp[]): boolean {
    const file = (name: string, made: MadeUp | undefined) => {
      const path = join(directoryName, name)
      if (made) writeFileSync(path, new X509Certificate(made.certificate).toString())
      return path
    }
    const files = [file('root', anchor), file('issuing', issuing), file('signer', signer)]
    const [trusted = '', untrusted = '', end = ''] = files
    try {
      const more = ['-policy_check', '-policy', ANY, '-untrusted', untrusted, '-CAfile', trusted]
      execFileSync('openssl', ['verify', ...more, end], { stdio: 'pipe' })
      return true
    } catch {
      return false
    }
  }
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  expiredSubject,
  generalizedTime,
  keyAndValidity,
  listedOids,
  parseCertificate,
} from '../../src/certificates/certificate.js'
import { readableNameText } from '../../src/certificates/distinguished-name.js'

/** A certificate that shares no code with ours. */
function opensslCertificate(subject: string, ...options: string[]): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'openrssp-certificate-'))
  try {
    const key = options.includes('-newkey')
      ? []
      : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-nodes', '-keyout', 'key', '-outform', 'DER', '-out', 'certificate'],
        ...['-utf8', '-multivalue-rdn', '-subj', subject, ...key, ...options],
      ],
      { cwd: directory, stdio: 'ignore' },
    )
    return readFileSync(join(directory, 'certificate'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe('A certificate', () => {
  it('lists its policies and QC statements, if any (CSC API v2.2, 11.7)', () => {
    const given = parseCertificate(
      opensslCertificate(
        '/CN=A',
        ...['-addext', 'certificatePolicies=1.2.3.4,0.4.0.194112.1.2'],
        // id-etsi-qcs-QcCompliance
        ...['-addext', '1.3.6.1.5.5.7.1.3=DER:300A3008060604008E460101'],
      ),
    )
    assert.deepEqual(listedOids(given, 'certificatePolicies'), ['1.2.3.4', '0.4.0.194112.1.2'])
    assert.deepEqual(listedOids(given, 'qcStatements'), ['0.4.0.1862.1.1'])
    const without = parseCertificate(opensslCertificate('/CN=B'))
    assert.deepEqual(listedOids(without, 'certificatePolicies'), [])
    assert.deepEqual(listedOids(without, 'qcStatements'), [])
  })

  it('has names as RFC 4514 writes them', () => {
    const names: [string, string][] = [
      ['/C=DE/O=Acme/CN=Eva Müller', 'CN=Eva Müller,O=Acme,C=DE'],
      ['/O=Acme, Inc./CN=A\\+B', 'CN=A\\+B,O=Acme\\, Inc.'],
      ['/CN=#1 \\\\ "x" <y>;z', 'CN=\\#1 \\\\ \\"x\\" \\<y\\>\\;z'],
      ['/CN= lead', 'CN=\\ lead'],
      ['/CN=trail ', 'CN=trail\\ '],
      ['/O=Acme/CN=Eva+serialNumber=7', 'serialNumber=7+CN=Eva,O=Acme'], // DER sorts sets
      ['/GN=Eva/SN=M/CN=E', 'CN=E,surname=M,givenName=Eva'],
      ['/DC=x/UID=u/street=s/ST=t/L=l/OU=o=p', 'OU=o=p,L=l,ST=t,STREET=s,UID=u,DC=x'],
      ['/organizationIdentifier=X/title=Dr/CN=x', 'CN=x,2.5.4.12=#0c024472,2.5.4.97=#0c0158'],
      ['/CN=x/emailAddress=a@b.c', '1.2.840.113549.1.9.1=#16056140622e63,CN=x'],
    ]
    for (const [given, expected] of names) {
      const der = opensslCertificate(given)
      const { subject, issuer } = parseCertificate(der)
      assert.equal(subject, expected)
      assert.equal(issuer, expected)
      const isPlain = !/[\\+#]/.test(expected)
      assert.equal(keyAndValidity(der).subject, isPlain ? expected : null)
    }
  })

  it('has names that people can read where machines get octets', () => {
    const shown = (given: string) =>
      readableNameText(parseCertificate(opensslCertificate(given)).subject)
    assert.equal(
      shown('/organizationIdentifier=NTRLT-1/title=Dr/CN=x'),
      'CN=x,title=Dr,organizationIdentifier=NTRLT-1',
    )
    assert.equal(shown('/CN=x/emailAddress=a@b.c'), 'emailAddress=a@b.c,CN=x')
    assert.equal(shown('/pseudonym=P/CN=x'), 'CN=x,2.5.4.65=P')
    assert.equal(
      shown('/organizationIdentifier=X,CN=Eva/CN=x'),
      String.raw`CN=x,organizationIdentifier=X\,CN=Eva`,
    )
    for (const text of [
      'CN=2.5.4.97=#0c0158',
      String.raw`CN=x\,2.5.4.97=#0c0158`,
      '1.2.3=#0500',
      '1.2.3=#0c',
    ])
      assert.equal(readableNameText(text), text)
  })

  it('has its serial number in upper-case hex, without a leading zero byte', () => {
    const serials = {
      '0x5AAC41CD8FA22B953640': '5AAC41CD8FA22B953640',
      '0xff01': 'FF01',
      '1': '01',
    }
    for (const [given, expected] of Object.entries(serials)) {
      const certificate = opensslCertificate('/CN=x', '-set_serial', given)
      assert.equal(parseCertificate(certificate).serialNumber, expected)
      assert.equal(keyAndValidity(certificate).serialNumber, expected)
    }
  })

  it('has its validity as GeneralizedTime, before 2050 and after', () => {
    for (const days of ['10', '36500']) {
      const der = opensslCertificate('/CN=x', '-days', days)
      const { validFrom, validTo, notBefore, notAfter } = parseCertificate(der)
      const expected = new X509Certificate(der)
      assert.equal(+notBefore, +new Date(expected.validFrom))
      assert.equal(+notAfter, +new Date(expected.validTo))
      assert.match(validFrom, /^20\d{12}Z$/)
      assert.equal(validTo, generalizedTime(notAfter))
    }
    assert.equal(generalizedTime(new Date('2030-01-02T03:04:05.678Z')), '20300102030405Z')
  })

  it('has its key as SubjectPublicKeyInfo, and says of which kind it is', () => {
    const der = opensslCertificate('/CN=x')
    const { publicKey, keyAlgorithm } = parseCertificate(der)
    const expected = new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' })
    assert.deepEqual(publicKey, expected)
    assert.equal(keyAlgorithm, 'p-384')
    const weak = opensslCertificate('/CN=x', '-newkey', 'rsa:1024')
    assert.equal(parseCertificate(weak).keyAlgorithm, null)
  })

  it('names its subject by organisation and common name when it has expired', () => {
    const names: [string, string][] = [
      ['/C=DE/CN=Eva/O=Acme', 'O=Acme,CN=Eva'],
      ['/CN=Eva', 'CN=Eva'],
      ["/O=Acme, Inc./CN=O'Hara", "O=Acme\\, Inc.,CN=O'Hara"],
    ]
    for (const [given, expected] of names) {
      assert.equal(expiredSubject(parseCertificate(opensslCertificate(given))), expected)
    }
  })

  it('is not read from anything else', () => {
    const der = opensslCertificate('/CN=x')
    const others = [
      Buffer.alloc(0),
      Buffer.from('3000', 'hex'),
      Buffer.from('30030201 01'.replace(' ', ''), 'hex'),
      Buffer.from('-----BEGIN CERTIFICATE-----'),
      der.subarray(0, -1),
      der.subarray(1),
      Buffer.concat([der, Buffer.of(0)]),
      parseCertificate(der).tbs,
      parseCertificate(der).publicKey,
    ]
    for (const other of others) {
      assert.throws(() => parseCertificate(other), { message: 'Not an X.509 certificate' })
    }
  })
})

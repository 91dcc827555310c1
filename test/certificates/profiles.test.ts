import assert from 'node:assert/strict'
import { configuredProfiles } from '../../src/certificates/configured-profiles.js'
import {
  certificateProfile,
  OCSP_SIGNING,
  SIGNER_PROFILE,
  TIME_STAMPING,
  type CertificateProfileSettings,
  type KeyUsage,
} from '../../src/certificates/profiles.js'

const GOOD: CertificateProfileSettings = {
  name: 'signer',
  validityDays: 365,
  keyUsage: ['contentCommitment'],
}

describe('Certificate profiles', () => {
  const bad: [string, Partial<CertificateProfileSettings>][] = [
    ['without a name', { name: '' }],
    ['that are never valid', { validityDays: 0 }],
    ['that are valid for half a day', { validityDays: 0.5 }],
    ['that are valid for ever', { validityDays: 36_500 }],
    ['that are valid for no number', { validityDays: Number.NaN }],
    ['without key usage', { keyUsage: [] }],
    ['with a key usage twice', { keyUsage: ['contentCommitment', 'contentCommitment'] }],
    ['that sign certificates', { keyUsage: ['keyCertSign'] }],
    ['that sign revocation lists', { keyUsage: ['digitalSignature', 'cRLSign'] }],
    ['with a key usage nobody knows', { keyUsage: ['keyAgreement' as KeyUsage] }],
    ['with a policy that is no OID', { policyOid: '1.2' }],
    ['with a policy that is text', { policyOid: 'qcp-n-qscd' }],
    ['with an extended key usage that is no OID', { extendedKeyUsage: ['emailProtection'] }],
    ['with an extended key usage twice', { extendedKeyUsage: ['1.2.3', '1.2.3'] }],
    ['of timestamping among others', { extendedKeyUsage: [TIME_STAMPING, '1.2.3'] }],
    ['of timestamping that is not critical', { extendedKeyUsage: [TIME_STAMPING] }],
    [
      'of timestamping, and are of signers',
      { extendedKeyUsage: [TIME_STAMPING], extendedKeyUsageIsCritical: true },
    ],
    ['that answer by OCSP, and are of signers', { extendedKeyUsage: [OCSP_SIGNING] }],
    [
      'whose QC statements say nothing',
      { qcStatements: { compliance: false, sscd: false, type: null, disclosures: [] } },
    ],
    ['with a critical purpose that is none', { extendedKeyUsageIsCritical: true }],
    ['that nobody checks, and are of signers', { revocation: 'unchecked' }],
    ['that cannot be revoked for a year', { revocation: 'unavailable' }],
    [
      'that are qualified and do not say what for',
      { qcStatements: { compliance: true, sscd: true, type: null, disclosures: [] } },
    ],
    [
      'whose terms are not behind HTTPS',
      {
        qcStatements: {
          ...{ compliance: false, sscd: false, type: 'esign' as const },
          disclosures: [{ url: 'http://example.org/pds', language: 'en' }],
        },
      },
    ],
  ]
  for (const [title, settings] of bad) {
    it(`are refused ${title}`, () => {
      const [wrong] = Object.keys(settings)
      assert.throws(() => certificateProfile({ ...GOOD, ...settings }), {
        message: new RegExp(`: ${wrong}$`),
      })
    })
  }

  it('report everything that is wrong at once', () => {
    assert.throws(
      () => certificateProfile({ ...GOOD, validityDays: -1, keyUsage: [], policyOid: 'x' }),
      { message: 'Certificate profile signer: validityDays, keyUsage, policyOid' },
    )
  })

  it('do not change when the settings do', () => {
    const keyUsage: KeyUsage[] = ['contentCommitment']
    const profile = certificateProfile({ ...GOOD, keyUsage })
    keyUsage.push('keyCertSign')
    assert.deepEqual(profile.keyUsage, ['contentCommitment'])
  })

  it('are valid for days or for seconds, not both and not neither', () => {
    const { validityDays, ...timeless } = GOOD
    assert.throws(() => certificateProfile(timeless), /: validity$/)
    assert.throws(() => certificateProfile({ ...GOOD, validitySeconds: 60 }), /: validity$/)
    assert.equal(certificateProfile(GOOD).validitySeconds, (validityDays ?? 0) * 86_400)
  })

  it('are those of the configuration, with what it adds', () => {
    const empty = { signer: {}, seal: {}, oneTime: {}, tsa: {} }
    const settings = { signerValidityDays: 90, profiles: { ...empty, tsa: { policyOid: '1.2.3' } } }
    const profiles = configuredProfiles(settings)
    assert.equal(profiles.signer.validitySeconds, 90 * 86_400)
    assert.deepEqual(profiles.tsa.extendedKeyUsage, [TIME_STAMPING])
    assert.equal(profiles.tsa.policyOid, '1.2.3')
    assert.equal(profiles.oneTime.validitySeconds, 60)
    assert.equal(profiles.oneTime.revocation, 'unavailable')
  })

  it('let the keys of signers commit to content, and no more', () => {
    assert.deepEqual(SIGNER_PROFILE.keyUsage, ['contentCommitment'])
  })
})

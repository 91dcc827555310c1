import assert from 'node:assert/strict'
import {
  certificateProfile,
  SIGNER_PROFILE,
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

  it('let the keys of signers commit to content, and no more', () => {
    assert.deepEqual(SIGNER_PROFILE.keyUsage, ['contentCommitment'])
  })
})

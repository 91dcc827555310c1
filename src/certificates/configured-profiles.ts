import type { CertificateAuthoritySettings } from '../config/certificate-authority.js'
import {
  certificateProfile,
  OCSP_SETTINGS,
  ONE_TIME_SETTINGS,
  SEAL_SETTINGS,
  SIGNER_SETTINGS,
  TSA_SETTINGS,
  type CertificateProfile,
} from './profiles.js'

export type ProfileName = 'signer' | 'seal' | 'oneTime' | 'tsa' | 'ocsp'

/** The profiles of this installation, checked. @throws {Error} naming what is wrong with one of them */
export function configuredProfiles(
  settings: Pick<CertificateAuthoritySettings, 'signerValidityDays' | 'profiles'>,
): Readonly<Record<ProfileName, CertificateProfile>> {
  const { signer, seal, oneTime, tsa } = settings.profiles
  return {
    signer: certificateProfile({
      ...{ ...SIGNER_SETTINGS, validityDays: settings.signerValidityDays },
      ...withStatements(signer),
    }),
    seal: certificateProfile({ ...SEAL_SETTINGS, ...withStatements(seal) }),
    oneTime: certificateProfile({ ...ONE_TIME_SETTINGS, ...withStatements(oneTime) }),
    tsa: certificateProfile({ ...TSA_SETTINGS, ...tsa }),
    ocsp: certificateProfile(OCSP_SETTINGS),
  }
}

type Settings = CertificateAuthoritySettings['profiles']['oneTime']

function withStatements<S extends Settings>({ qcStatements, ...settings }: S) {
  if (!qcStatements) return settings
  return { ...settings, qcStatements: { ...qcStatements, type: qcStatements.type ?? null } }
}

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
      ...signer,
    }),
    seal: certificateProfile({ ...SEAL_SETTINGS, ...seal }),
    oneTime: certificateProfile({ ...ONE_TIME_SETTINGS, ...oneTime }),
    tsa: certificateProfile({ ...TSA_SETTINGS, ...tsa }),
    ocsp: certificateProfile(OCSP_SETTINGS),
  }
}

import type { AuthorityName } from './authority-store.js'

/** Paths below the URL at which the authority is published; they stand in certificates. */
export const PUBLISHED: Readonly<
  Record<AuthorityName, { readonly certificate: string; readonly crl: string }>
> = {
  root: { certificate: '/pki/root.cer', crl: '/pki/root.crl' },
  issuing: { certificate: '/pki/issuing.cer', crl: '/pki/issuing.crl' },
}

export const OCSP_PATH = '/ocsp'

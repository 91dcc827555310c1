import type { Config } from '../config/schema.js'
import type { Client } from './client.js'

/** The signer's own pages, to which people sign in as they do for any application. */
export const ACCOUNT_CLIENT_ID = 'openrssp-account'

/** Where they come back to. */
export const ACCOUNT_REDIRECT_PATH = '/account/signed-in'

/** Built in: it is not registered, listed, changed or removed, and is never given a token. */
export function accountClient({ baseUrl, service }: Pick<Config, 'baseUrl' | 'service'>): Client {
  return {
    id: ACCOUNT_CLIENT_ID,
    name: service.name,
    secret: null,
    redirectUris: [`${baseUrl}${ACCOUNT_REDIRECT_PATH}`],
    grantTypes: ['authorization_code'],
    authMethod: 'none',
    jwks: null,
    tlsSubjectDn: null,
    requirePushedForCredential: false,
    introspectsAll: false,
    dpopBoundAccessTokens: false,
    tlsClientCertificateBoundAccessTokens: false,
    quirks: [],
    responseUriHosts: [],
    disabledAt: null,
  }
}

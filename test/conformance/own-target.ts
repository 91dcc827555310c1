import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK } from 'jose'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import { publicPost } from '../../src/signing/public-post.js'
import type { Target } from '../../conformance/target.js'
import type { Credential } from '../../src/credentials/credential.js'
import { testKey } from '../oauth/proofs.js'
import { freePort, startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'

const { PIN, OTP, EMAIL, PUSH } = AUTH_OBJECTS

const CLIENT_ID = 'conformance'
const HOOK_HOST = 'hook.example'
const ON_THE_FLY = 'za_ecta_aes'
/** More often than the service does it by itself. */
const ANNOUNCING_MS = 100

/** Our own server with people, applications and credentials of every kind, and how to test it. */
export interface OwnTarget {
  readonly userIds: readonly string[]
  readonly rssp: Rssp
  readonly target: Target
  /** What no report may contain. */
  readonly secrets: readonly string[]
  /** The last of the certificates that a signer can choose from for a signatureQualifier. */
  readonly choice: Credential
  newServiceToken(): Promise<string>
  close(): Promise<void>
}

export async function startOwnTarget(): Promise<OwnTarget> {
  const hook = await newHook()
  const rssp = await startRssp({
    outbox: true,
    settings: {
      policy: { authLogin: { client: CLIENT_ID }, responseUriHosts: [new URL(hook.uri).host] },
      newCredentials: { perPerson: 100, perPersonPerHour: 1000, onTheFly: [ON_THE_FLY] },
    },
    post: hook.post,
  })
  const announcing = setInterval(() => {
    void rssp.services.announcements.deliverDue()
  }, ANNOUNCING_MS).unref()
  const [user, other] = [await rssp.addUser(), await rssp.addUser()]
  const registration = {
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'] as const,
  }
  const client = await rssp.addClient({ client_id: CLIENT_ID, registration })
  const otherClient = await rssp.addClient({ registration })
  const key = await testKey()
  const keyClient = await rssp.addClient({
    client_secret: null,
    registration: { authMethod: 'private_key_jwt', jwks: { keys: [key.jwk] } },
  })
  const { kty = '', ...jwk } = await exportJWK(key.privateKey)
  const privateKey = { ...jwk, kty, kid: key.jwk.kid ?? '', alg: key.alg }
  await rssp.addCredential(user)
  await rssp.addCredential(user, { algorithm: 'rsa-2048' })
  await rssp.addCredential(user, { algorithm: 'p-384', SCAL: '1' })
  await rssp.addCredential(user, {
    explicit: { objects: [PIN, OTP], expression: 'PIN AND OTP' },
    withPin: true,
  })
  await rssp.addCredential(user, {
    explicit: { objects: [PIN], expression: null },
    withPin: true,
    SCAL: '1',
  })
  // Two, so that the signer has to choose.
  await rssp.addCredential(user, { signatureQualifier: 'eu_eidas_aes' })
  const another = await rssp.addCredential(user, { signatureQualifier: 'eu_eidas_aes' })
  await rssp.addCredential(user, {
    explicit: { objects: [PIN, EMAIL], expression: null },
    withPin: true,
  })
  await rssp.addCredential(user, { explicit: { objects: [PUSH], expression: null } })
  await rssp.addCredential(other)
  // So that there is a key for each algorithm of info.
  await rssp.addCredential(other, { algorithm: 'p-521' })
  await rssp.addCredential(user, { ownerClientId: client.client_id })
  const target: Target = {
    name: 'OpenRSSP',
    baseUrl: `${rssp.baseUrl}/csc/v2`,
    client: { ...application(client), clientCredentials: true, userID: user.id },
    otherClient: application(otherClient),
    keyClient: { ...application(keyClient), privateKey },
    announcements: hook.settings,
    onTheFly: ON_THE_FLY,
    signers: [signer(user), signer(other)],
    consume: { approvals: 500, wrongFactors: true, lock: true, create: true },
  }
  return {
    rssp,
    target,
    choice: another,
    userIds: [user.id, other.id],
    secrets: [user, other].flatMap(({ password, pin, totpSecret }) => [password, pin, totpSecret]),
    newServiceToken: () => rssp.serviceToken(user, client),
    close: async () => {
      clearInterval(announcing)
      await rssp.close()
      hook.remove()
    },
  }
}

/** Our own server, configured otherwise, with one person, one application and one key. */
export async function startSmallTarget(settings: Record<string, unknown>) {
  const rssp = await startRssp({ settings })
  const user = await rssp.addUser()
  const client = await rssp.addClient()
  await rssp.addCredential(user)
  const target: Target = {
    baseUrl: `${rssp.baseUrl}/csc/v2`,
    client: application(client),
    signers: [signer(user)],
  }
  return { rssp, target }
}

/** Where announcements go to: a name that leads to this machine, with a certificate for it. */
async function newHook() {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-hook-'))
  const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', keyFile, '-out', certificateFile, '-subj', `/CN=${HOOK_HOST}`],
      ...['-addext', `subjectAltName=DNS:${HOOK_HOST}`],
    ],
    { stdio: 'ignore' },
  )
  const port = await freePort()
  const uri = `https://${HOOK_HOST}:${port}/done?for=conformance`
  return {
    uri,
    post: publicPost({
      resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
      isAllowed: () => true,
      authorities: readFileSync(certificateFile, 'utf8'),
    }),
    settings: {
      responseUri: uri,
      listen: { host: '127.0.0.1', port },
      tls: { keyFile, certificateFile },
    },
    remove: () => {
      rmSync(folder, { recursive: true })
    },
  }
}

function application({ client_id, client_secret, redirect_uris }: TestClient) {
  return {
    client_id,
    ...(client_secret === null ? {} : { client_secret }),
    redirect_uri: redirect_uris[0] ?? '',
  }
}

function signer({ username, password, pin, totpSecret }: TestUser): Target['signers'][number] {
  const otp = { totp: totpSecret }
  return {
    signIn: {
      by: 'form',
      steps: [
        { field: 'username', fill: { username, password, otp }, press: 'action=continue' },
        {
          button: 'action=approve',
          fill: { pin, otp },
          press: 'action=approve',
          reject: 'action=reject',
        },
        { button: 'action=continue', press: 'action=continue' },
      ],
    },
    authData: { PIN: pin, OTP: otp },
    basic: { username, password },
    accountID: `account of ${username}`,
  }
}

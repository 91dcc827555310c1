import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import type { Target } from '../../conformance/target.js'
import { startRssp, type Rssp, type TestClient, type TestUser } from '../support/rssp.js'

const { PIN, OTP, EMAIL, PUSH } = AUTH_OBJECTS

const CLIENT_ID = 'conformance'

/** Our own server with people, applications and credentials of every kind, and how to test it. */
export interface OwnTarget {
  readonly userIds: readonly string[]
  readonly rssp: Rssp
  readonly target: Target
  /** What no report may contain. */
  readonly secrets: readonly string[]
  newServiceToken(): Promise<string>
  close(): Promise<void>
}

export async function startOwnTarget(): Promise<OwnTarget> {
  const rssp = await startRssp({
    outbox: true,
    settings: { policy: { authLogin: { client: CLIENT_ID } } },
  })
  const [user, other] = [await rssp.addUser(), await rssp.addUser()]
  const registration = {
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'] as const,
  }
  const client = await rssp.addClient({ client_id: CLIENT_ID, registration })
  const otherClient = await rssp.addClient({ registration })
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
  await rssp.addCredential(user, { signatureQualifier: 'eu_eidas_aes' })
  await rssp.addCredential(user, {
    explicit: { objects: [PIN, EMAIL], expression: null },
    withPin: true,
  })
  await rssp.addCredential(user, { explicit: { objects: [PUSH], expression: null } })
  await rssp.addCredential(other)
  await rssp.addCredential(user, { ownerClientId: client.client_id })
  const target: Target = {
    name: 'OpenRSSP',
    baseUrl: `${rssp.baseUrl}/csc/v2`,
    client: { ...application(client), clientCredentials: true, userID: user.id },
    otherClient: application(otherClient),
    signers: [signer(user), signer(other)],
    consume: { approvals: 500, wrongFactors: true, lock: true, create: true },
  }
  return {
    rssp,
    target,
    userIds: [user.id, other.id],
    secrets: [user, other].flatMap(({ password, pin, totpSecret }) => [password, pin, totpSecret]),
    newServiceToken: () => rssp.serviceToken(user, client),
    close: () => rssp.close(),
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
  }
}

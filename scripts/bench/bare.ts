/**
 * Baseline `bare`: oidc-provider alone, with its memory store, a person who is always there and
 * agrees to everything.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import Provider from 'oidc-provider'

export const BARE_CLIENT = {
  client_id: 'bench',
  client_secret: 'bench-secret-of-no-importance',
  redirect_uris: ['https://app.example/callback'],
}

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  void serve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

async function serve(origin: string): Promise<void> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const provider = new Provider(origin, {
    clients: [{ ...BARE_CLIENT, id_token_signed_response_alg: 'ES256' }],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'ES256' }] },
    cookies: { keys: ['bench'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  })
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) {
      await next()
      return
    }
    const { params, prompt, session } = await provider.interactionDetails(ctx.req, ctx.res)
    if (prompt.name === 'login') {
      await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'person' } })
      return
    }
    const grant = new provider.Grant({
      accountId: session?.accountId ?? '',
      clientId: String(params['client_id']),
    })
    grant.addOIDCScope('openid')
    const grantId = await grant.save()
    await provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId } })
  })
  const handle = provider.callback()
  server.on('request', (request, response) => void handle(request, response))
  process.send?.({ ready: origin })
}

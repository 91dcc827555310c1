import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { insecureSettings } from '../../src/config/insecure-settings.js'
import { checkConfig, ConfigError } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'

type Settings = Record<string, unknown>

describe('The configuration of identity providers', () => {
  let folder: string
  const at = (name: string): string => join(folder, name)
  const pem = { type: 'pkcs8', format: 'pem' } as const

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-config-'))
    Secrets.create(at('secrets.key'))
    const mode = 0o600
    writeFileSync(at('hsm.pin'), '648219\n', { mode })
    writeFileSync(at('module.so'), '')
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const ed = generateKeyPairSync('ed25519')
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    writeFileSync(at('key.pem'), ec.privateKey.export(pem), { mode })
    writeFileSync(at('key.jwk'), JSON.stringify(ec.privateKey.export({ format: 'jwk' })), { mode })
    writeFileSync(at('ed.pem'), ed.privateKey.export(pem), { mode })
    writeFileSync(at('weak.pem'), weak.privateKey.export(pem), { mode })
    writeFileSync(at('public.pem'), ec.publicKey.export({ type: 'spki', format: 'pem' }), { mode })
    writeFileSync(at('open.pem'), ec.privateKey.export(pem), { mode })
    chmodSync(at('open.pem'), 0o644)
    writeFileSync(at('empty'), '\n', { mode })
  })
  after(() => {
    rmSync(folder, { recursive: true })
  })

  function provider(change: Settings = {}): Settings {
    return {
      id: 'national',
      label: 'National ID',
      issuer: 'https://id.example',
      clientId: 'openrssp',
      authentication: { method: 'private_key_jwt', keyFile: 'key.pem' },
      ...change,
    }
  }

  function settings(identityProviders: unknown, change: Settings = {}): Settings {
    return {
      baseUrl: 'https://sign.example',
      database: 'file:rssp.db',
      secretsFile: 'secrets.key',
      hsm: { module: 'module.so', tokenLabel: 'keys', pinFile: 'hsm.pin' },
      service: { name: 'Example', region: 'LT' },
      certificateAuthority: { organization: 'Example', country: 'LT' },
      identityProviders,
      ...change,
    }
  }

  function problemsOf(providers: unknown, environment: NodeJS.ProcessEnv = {}): string[] {
    try {
      checkConfig(settings(providers), folder, environment)
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      return error.problems.map(({ setting, problem }) => `${setting}: ${problem}`)
    }
    return []
  }

  it('is none by default', () => {
    const none = settings([])
    delete none['identityProviders']
    assert.deepEqual(checkConfig(none, folder, {}).identityProviders, [])
  })

  it('is completed, careful by default, with paths from the file’s folder', () => {
    const [completed] = checkConfig(settings([provider()]), folder, {}).identityProviders
    assert.deepEqual(completed, {
      ...provider(),
      authentication: { method: 'private_key_jwt', keyFile: at('key.pem') },
      scopes: ['openid', 'profile'],
      allowedSigningAlgorithms: ['RS256', 'PS256', 'ES256'],
      userinfo: { form: 'none' },
      pushedAuthorizationRequests: 'when-offered',
      clockToleranceSeconds: 5,
      firstLogin: 'refuse',
      redirectsTo: [],
    })
  })

  it('takes keys as PEM and as JWK', () => {
    const authentication = { method: 'private_key_jwt', keyFile: 'key.jwk' }
    const userinfo = { form: 'encrypted', keyFile: 'key.pem' }
    assert.deepEqual(problemsOf([provider({ authentication, userinfo })]), [])
  })

  it('names every problem at once', () => {
    const second = provider({
      id: 'National ID',
      issuer: 'id.example',
      scopes: ['profile'],
      firstLogin: 'enrol',
      authentication: { method: 'client_secret_basic', secretFile: 'empty' },
      userinfo: { form: 'encrypted', keyFile: 'ed.pem' },
    })
    const problems = problemsOf([provider(), second])
    const names = problems.map((problem) => problem.split(': ')[0]).sort()
    assert.deepEqual(names, [
      'identityProviders.1.authentication.secretFile',
      'identityProviders.1.id',
      'identityProviders.1.issuer',
      'identityProviders.1.requiredAcr',
      'identityProviders.1.scopes',
      'identityProviders.1.userinfo.keyFile',
    ])
  })

  const refused: [string, () => Settings[], RegExp][] = [
    [
      'a key others can read',
      () => [withKey('open.pem')],
      /authentication\.keyFile: .*can be read by others/,
    ],
    [
      'a key that is not there',
      () => [withKey('none.pem')],
      /authentication\.keyFile: .*does not exist/,
    ],
    [
      'a public key for a private one',
      () => [withKey('public.pem')],
      /does not hold a private key/,
    ],
    ['a short RSA key', () => [withKey('weak.pem')], /RSA key of less than 2048 bits/],
    [
      'a secret that is empty',
      () => [provider({ authentication: { method: 'client_secret_post', secretFile: 'empty' } })],
      /secretFile: .*is empty/,
    ],
    [
      'a way to authenticate that is none',
      () => [provider({ authentication: { method: 'none' } })],
      /authentication: has none of its forms/,
    ],
    [
      'shared secrets as signatures',
      () => [provider({ allowedSigningAlgorithms: ['HS256'] })],
      /allowedSigningAlgorithms/,
    ],
    [
      'no signature',
      () => [provider({ allowedSigningAlgorithms: ['none'] })],
      /allowedSigningAlgorithms/,
    ],
    [
      'no allowed algorithm',
      () => [provider({ allowedSigningAlgorithms: [] })],
      /allowedSigningAlgorithms/,
    ],
    [
      'two of one name',
      () => [provider(), provider({ issuer: 'https://b.example' })],
      /identityProviders\.1\.id: is that of another provider/,
    ],
    [
      'two of one issuer',
      () => [provider(), provider({ id: 'b' })],
      /identityProviders\.1\.issuer: is that of another provider/,
    ],
    [
      'accounts from authentications of any kind',
      () => [provider({ firstLogin: 'enrol' })],
      /requiredAcr: must say how people authenticate/,
    ],
    [
      'userinfo without an address for it',
      () => [
        provider({
          userinfo: { form: 'json' },
          endpoints: {
            authorization: 'https://a.example/a',
            token: 'https://a.example/t',
            jwks: 'https://a.example/j',
          },
        }),
      ],
      /endpoints\.userinfo: is missing/,
    ],
    [
      'a setting that is none',
      () => [provider({ clientID: 'x' })],
      /identityProviders\.0\.clientID: is not a setting/,
    ],
  ]
  for (const [what, providers, problem] of refused) {
    it(`refuses ${what}`, () => {
      assert.match(problemsOf(providers()).join('\n'), problem)
    })
  }

  it('refuses plain http in production, and warns of it elsewhere', () => {
    const providers = [provider({ issuer: 'http://id.example' })]
    assert.deepEqual(problemsOf(providers, { NODE_ENV: 'production' }), [
      'identityProviders.0.issuer: must be https with NODE_ENV=production',
    ])
    const warnings = insecureSettings(checkConfig(settings(providers), folder, {}))
    assert.ok(warnings.includes('identityProviders: national is plain http'))
  })

  it('never tells what is in a file', () => {
    const secret = 'very-secret-content'
    writeFileSync(at('leak'), secret, { mode: 0o600 })
    assert.ok(
      !problemsOf([withKey('leak')])
        .join()
        .includes(secret),
    )
  })

  function withKey(keyFile: string): Settings {
    return provider({ authentication: { method: 'private_key_jwt', keyFile } })
  }
})

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { insecureSettings } from '../../src/config/insecure-settings.js'
import { checkConfig, ConfigError, loadConfig } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'

type Settings = Record<string, unknown>

describe('The configuration', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-config-'))
    Secrets.create(at('secrets.key'))
    writeFileSync(at('hsm.pin'), '648219\n', { mode: 0o600 })
    writeFileSync(at('module.so'), '', { mode: 0o644 })
  })
  afterEach(() => {
    rmSync(folder, { recursive: true })
  })

  const at = (name: string): string => join(folder, name)

  function settings(change: Settings = {}): Settings {
    return {
      baseUrl: 'https://sign.example',
      database: 'file:rssp.db',
      secretsFile: 'secrets.key',
      hsm: { module: 'module.so', tokenLabel: 'keys', pinFile: 'hsm.pin' },
      service: { name: 'Example', region: 'LT' },
      certificateAuthority: { organization: 'Example', country: 'LT' },
      ...change,
    }
  }

  function problemsOf(given: unknown, environment: NodeJS.ProcessEnv = {}): string[] {
    try {
      checkConfig(given, folder, environment)
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      return error.problems.map(({ setting, problem }) => `${setting}: ${problem}`)
    }
    return []
  }

  it('is completed with a default for everything that has one', () => {
    const config = checkConfig(settings(), folder, {})
    assert.deepEqual([config.listen.host, config.listen.port], ['127.0.0.1', 8700])
    assert.equal(config.hsm.sessions, 8)
    assert.deepEqual(config.hsm.environment, {})
    assert.deepEqual(config.lifetimes, {
      serviceTokenSeconds: 3600,
      credentialTokenSeconds: 300,
      refreshTokenDays: 30,
      authorizationCodeSeconds: 60,
      interactionSeconds: 600,
      sessionSeconds: 3600,
      resultSeconds: 3600,
      longestResultSeconds: 86400,
    })
    assert.equal(config.limits.factorFailures, 5)
    assert.equal(config.proxy.trusted, false)
    assert.equal(config.log.level, 'info')
    assert.equal(config.sandbox, false)
    assert.equal(config.service.specs, '2.2.0.0')
  })

  it('completes what is given in part', () => {
    const { listen } = checkConfig(settings({ listen: { port: 9000 } }), folder, {})
    assert.deepEqual([listen.host, listen.port], ['127.0.0.1', 9000])
  })

  it('takes relative paths from its own folder, and keeps the audit head beside the database', () => {
    const config = checkConfig(settings(), folder, {})
    assert.equal(config.database, `file:${at('rssp.db')}`)
    assert.equal(config.auditHeadFile, at('rssp.db.audit-head'))
    assert.equal(config.secretsFile, at('secrets.key'))
    assert.equal(config.hsm.module, at('module.so'))
    assert.equal(config.hsm.pinFile, at('hsm.pin'))
  })

  it('is not changed by being checked', () => {
    const given = settings()
    checkConfig(given, folder, {})
    assert.deepEqual(given, settings())
  })

  describe('is refused', () => {
    it('with every problem at once, each under the path of its setting', () => {
      const given = settings({
        baseUrl: 'ftp://sign.example/path',
        database: undefined,
        secretsFile: 'nowhere.key',
        hsm: { module: 'nowhere.so', pinFile: 'hsm.pin', sessions: 0, pin: '1234' },
        service: { name: 'Example', region: 'Lithuania' },
        limits: { bodyBytes: '1 MB' },
        log: { level: 'loud' },
        sandBox: true,
      })
      delete given['database']
      assert.deepEqual(problemsOf(given, { NODE_ENV: 'production' }).sort(), [
        'baseUrl: must match ^https?://[^/?#@]+$. Public base URL, scheme and host without a path; also the OAuth issuer. Never taken from a request.',
        'database: is missing',
        `hsm.module: ${at('nowhere.so')} does not exist`,
        'hsm.pin: is not a setting',
        'hsm.sessions: must be >= 1',
        'hsm.tokenLabel: is missing',
        'limits.bodyBytes: must be integer',
        'log.level: must be one of silent, error, warn, info, debug',
        'sandBox: is not a setting',
        `secretsFile: ${at('nowhere.key')} does not exist`,
        'service.region: must match ^[A-Z]{2}$. ISO 3166-1 country of establishment.',
      ])
    })

    for (const given of [null, [], 'text', 7]) {
      it(`when it is ${JSON.stringify(given)} instead of an object`, () => {
        assert.deepEqual(problemsOf(given), ['(file): must be object'])
      })
    }

    it('when a setting has the name of something every object has', () => {
      const given = JSON.parse(
        JSON.stringify(settings()).replace('{', '{"constructor":1,"toString":{},'),
      ) as unknown
      assert.deepEqual(problemsOf(given), [
        'constructor: is not a setting',
        'toString: is not a setting',
      ])
    })

    const baseUrls: [string, string][] = [
      ['https://sign.example:443', 'write it as https://sign.example'],
      ['https://SIGN.example', 'write it as https://sign.example'],
      ['https://sign.example:99999', 'is not a URL'],
      ['https://sign example', 'is not a URL'],
    ]
    for (const [baseUrl, problem] of baseUrls) {
      it(`when baseUrl is ${baseUrl}`, () => {
        assert.deepEqual(problemsOf(settings({ baseUrl })), [`baseUrl: ${problem}`])
      })
    }

    for (const mode of [0o644, 0o640, 0o604, 0o660]) {
      it(`when a secret has mode ${mode.toString(8)}`, () => {
        chmodSync(at('secrets.key'), mode)
        chmodSync(at('hsm.pin'), mode)
        assert.deepEqual(problemsOf(settings()), [
          `secretsFile: ${at('secrets.key')} can be read by others; run chmod 600 on it`,
          `hsm.pinFile: ${at('hsm.pin')} can be read by others; run chmod 600 on it`,
        ])
      })
    }

    it('when a secret is missing, a folder or empty', () => {
      rmSync(at('secrets.key'))
      mkdirSync(at('secrets.key'))
      writeFileSync(at('hsm.pin'), '\n')
      assert.deepEqual(problemsOf(settings()), [
        `secretsFile: ${at('secrets.key')} is not a file`,
        `hsm.pinFile: ${at('hsm.pin')} is empty`,
      ])
      rmSync(at('hsm.pin'))
      assert.ok(problemsOf(settings()).includes(`hsm.pinFile: ${at('hsm.pin')} does not exist`))
    })

    it('when the master secret is short, not hexadecimal or a sample', () => {
      for (const [text, problem] of [
        ['ab'.repeat(31), 'does not hold 64 hexadecimal digits'],
        ['xy'.repeat(32), 'does not hold 64 hexadecimal digits'],
        ['00'.repeat(32), 'holds a sample, not random bytes'],
        ['0123456789abcdef'.repeat(4), 'holds a sample, not random bytes'],
      ] as const) {
        writeFileSync(at('secrets.key'), text, { mode: 0o600 })
        assert.deepEqual(problemsOf(settings()), [`secretsFile: ${at('secrets.key')} ${problem}`])
      }
    })

    it('when the folder of the database or of the audit head is missing', () => {
      const given = settings({ database: 'file:nowhere/rssp.db', auditHeadFile: 'gone/head' })
      assert.deepEqual(problemsOf(given), [
        `auditHeadFile: ${at('gone')} does not exist`,
        `database: ${at('nowhere')} does not exist`,
      ])
    })

    for (const database of ['file::memory:', 'file:rssp.db?mode=memory']) {
      it(`when the database would be ${database}, gone with the process`, () => {
        assert.deepEqual(problemsOf(settings({ database })), [
          'database: must be a file that outlives the process',
        ])
      })
    }

    it('when the database or the audit head is a folder, and the database something else', () => {
      mkdirSync(at('data'))
      const given = settings({ database: 'file:data', auditHeadFile: 'data' })
      assert.deepEqual(problemsOf(given), [
        `auditHeadFile: ${at('data')} is not a file`,
        `database: ${at('data')} is not a file`,
      ])
      assert.deepEqual(problemsOf(settings({ database: 'file:hsm.pin' })), [
        `database: ${at('hsm.pin')} is not an SQLite database`,
      ])
    })

    it('when a path cannot be looked at', () => {
      const long = 'x'.repeat(300)
      writeFileSync(at('file'), '', { mode: 0o600 })
      const given = settings({ secretsFile: long, auditHeadFile: 'file/head' })
      assert.deepEqual(problemsOf(given), [
        `secretsFile: ${at(long)} cannot be read: ENAMETOOLONG`,
        `auditHeadFile: ${at('file')} is not a folder`,
      ])
    })

    it('when there is a NUL in any text of it', () => {
      const given = settings({
        listen: { host: '\0' },
        auditHeadFile: 'a\0b',
        hsm: { ...(settings()['hsm'] as Settings), environment: { X: '\0', 'Y\0': '' } },
      })
      assert.deepEqual(problemsOf(given).sort(), [
        'auditHeadFile: has a NUL character',
        'hsm.environment.X: has a NUL character',
        'hsm.environment.Y\0: has a NUL character',
        'listen.host: has a NUL character',
      ])
    })

    it('when an address is none', () => {
      const given = settings({
        service: { name: 'Example', region: 'LT', logo: 'https://[' },
        tracing: { endpoint: 'http://h:99999/' },
        certificateAuthority: { organization: 'E', country: 'LT', publicationUrl: 'http://[' },
      })
      assert.deepEqual(problemsOf(given), [
        'service.logo: is not a URL',
        'tracing.endpoint: is not a URL',
        'certificateAuthority.publicationUrl: is not a URL',
      ])
    })

    it('when a time is beyond what a clock can count', () => {
      const most = Number.MAX_SAFE_INTEGER
      const given = settings({
        limits: { lockSeconds: most, signInWindowSeconds: most },
        notices: { everySeconds: most },
      })
      assert.deepEqual(problemsOf(given), [
        'limits.lockSeconds: must be <= 31536000',
        'limits.signInWindowSeconds: must be <= 31536000',
        'notices.everySeconds: must be <= 86400',
      ])
    })

    it('when the organization does not fit into a name (RFC 5280, A.1)', () => {
      for (const organization of ['', 'x'.repeat(65)]) {
        const certificateAuthority = { organization, country: 'LT' }
        const [problem = ''] = problemsOf(settings({ certificateAuthority }))
        assert.match(problem, /^certificateAuthority\.organization: must NOT have/)
      }
    })

    it('when the database is none we know', () => {
      const [problem = ''] = problemsOf(settings({ database: 'mysql://db/rssp' }))
      assert.match(problem, /^database: must match .+ SQLite database, as file:PATH, or PostgreSQL/)
    })

    it('when it does not say which database of PostgreSQL', () => {
      for (const database of ['postgresql://db', 'postgres://user@db:5432/']) {
        assert.deepEqual(problemsOf(settings({ database })), ['database: names no database'])
      }
    })
  })

  describe('in production is refused (S52)', () => {
    const production = { NODE_ENV: 'production' }

    const dangers: [string, Settings, string][] = [
      ['with sandbox data', { sandbox: true }, 'sandbox: must be false'],
      ['over plain http', { baseUrl: 'http://sign.example' }, 'baseUrl: must be https'],
      ['with debug output', { log: { level: 'debug' } }, 'log.level: must not be debug'],
    ]
    for (const [title, change, problem] of dangers) {
      it(`${title}, and allowed elsewhere`, () => {
        const words = `${problem} with NODE_ENV=production`
        assert.deepEqual(problemsOf(settings(change), production), [words])
        assert.deepEqual(problemsOf(settings(change)), [])
      })
    }

    it('when everybody can read the database', () => {
      writeFileSync(at('rssp.db'), '', { mode: 0o644 })
      assert.deepEqual(problemsOf(settings(), production), [
        `database: ${at('rssp.db')} must not be readable by everybody; run chmod 600 on it with NODE_ENV=production`,
      ])
      chmodSync(at('rssp.db'), 0o600)
      assert.deepEqual(problemsOf(settings(), production), [])
    })

    it('when everybody can exchange the PKCS#11 library', () => {
      chmodSync(at('module.so'), 0o666)
      assert.deepEqual(problemsOf(settings(), production), [
        `hsm.module: ${at('module.so')} must not be writable by everybody with NODE_ENV=production`,
      ])
    })

    it('with all of its dangers at once', () => {
      const given = settings({ sandbox: true, baseUrl: 'http://sign.example' })
      assert.deepEqual(problemsOf(given, production), [
        'sandbox: must be false with NODE_ENV=production',
        'baseUrl: must be https with NODE_ENV=production',
      ])
    })
  })

  describe('warns by name', () => {
    const warningsOf = (change: Settings): string[] => {
      const config = checkConfig(
        settings({ auditHeadFile: `${tmpdir()}/head`, ...change }),
        folder,
        {},
      )
      return insecureSettings(config)
    }

    it('of nothing when nothing is insecure', () => {
      assert.deepEqual(warningsOf({}), [])
    })

    const cases: [Settings, string][] = [
      [{ sandbox: true }, 'sandbox: demo users and clients whose secrets are in sandbox.json'],
      [{ baseUrl: 'http://sign.example' }, 'baseUrl: plain http'],
      [{ log: { level: 'debug' } }, 'log.level: debug tells more than production should'],
      [
        { proxy: { trusted: true }, listen: { host: '0.0.0.0' } },
        'proxy.trusted: whoever reaches listen.host directly can claim any address',
      ],
      [
        { auditHeadFile: 'rssp.db.audit-head' },
        'auditHeadFile: lies beside the database; who can cut the log can cut it too',
      ],
    ]
    for (const [change, warning] of cases) {
      it(`of ${warning}`, () => {
        assert.deepEqual(warningsOf(change), [warning])
      })
    }

    it('of a token in files', () => {
      writeFileSync(at('libsofthsm2.so'), '')
      const hsm = { module: 'libsofthsm2.so', tokenLabel: 'keys', pinFile: 'hsm.pin' }
      assert.deepEqual(warningsOf({ hsm }), [
        'hsm.module: SoftHSM keeps keys in files of this machine',
      ])
    })

    it('of a database everybody can read', () => {
      writeFileSync(at('rssp.db'), '', { mode: 0o644 })
      assert.deepEqual(warningsOf({}), [`database: ${at('rssp.db')} is readable by everybody`])
    })
  })

  it('takes PostgreSQL as its database, and then keeps the audit head in its own folder', () => {
    const database = 'postgresql://rssp@127.0.0.1:5432/rssp'
    const config = checkConfig(settings({ database }), folder, {})
    assert.equal(config.database, database)
    assert.equal(config.auditHeadFile, at('openrssp.audit-head'))
  })

  it('warns of a PostgreSQL elsewhere that does not have to show who it is, and names no password', () => {
    const warnings = (database: string) =>
      insecureSettings(checkConfig(settings({ database }), folder, {})).filter((text) =>
        text.startsWith('database'),
      )
    const elsewhere = 'postgresql://rssp:hidden@db.example/rssp'
    assert.deepEqual(warnings(elsewhere), [
      'database: who answers for db.example is not checked; add sslmode=verify-full',
    ])
    assert.deepEqual(warnings(`${elsewhere}?sslmode=verify-full`), [])
    assert.deepEqual(warnings('postgresql://rssp@[::1]:5432/rssp'), [])
  })

  describe('read from a file', () => {
    const problemOf = (text: string | null): string => {
      if (text !== null) writeFileSync(at('openrssp.json'), text)
      try {
        loadConfig(at('openrssp.json'), {})
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }

    it('is refused when there is none', () => {
      assert.equal(
        problemOf(null),
        `${at('openrssp.json')}: cannot be read; name the configuration with --config, or let ./scripts/start make one`,
      )
    })

    it('is refused when it is not JSON', () => {
      assert.match(problemOf('{"baseUrl": }'), /openrssp\.json: is not JSON: Unexpected token/)
    })

    it('is taken when it is right', () => {
      assert.equal(problemOf(JSON.stringify(settings())), '')
    })
  })
})

describe('Secrets', () => {
  const secrets = new Secrets(randomBytes(32))

  it('open what they sealed, in its own context', () => {
    assert.equal(secrets.unseal('user 1 totp', secrets.seal('user 1 totp', 'ABC')), 'ABC')
  })

  it('never seal the same text to the same bytes', () => {
    assert.notEqual(secrets.seal('a', 'text'), secrets.seal('a', 'text'))
  })

  it('do not open what was sealed for another row (S17)', () => {
    const sealed = secrets.seal('user 1 totp', 'ABC')
    assert.throws(() => secrets.unseal('user 2 totp', sealed))
  })

  it('do not open what was sealed under another master secret', () => {
    const sealed = new Secrets(randomBytes(32)).seal('user 1 totp', 'ABC')
    assert.throws(() => secrets.unseal('user 1 totp', sealed))
  })

  it('do not open what was changed in any byte, cut or emptied', () => {
    const sealed = Buffer.from(secrets.seal('user 1 totp', 'ABC'), 'base64url')
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed)
      changed[index] = (changed[index] ?? 0) ^ 1
      assert.throws(() => secrets.unseal('user 1 totp', changed.toString('base64url')))
      assert.throws(() =>
        secrets.unseal('user 1 totp', sealed.subarray(0, index).toString('base64url')),
      )
    }
  })

  it('tell facts apart that would read the same when joined', () => {
    const mac = secrets.bind('ab', 'c')
    assert.ok(secrets.isBound(mac, 'ab', 'c'))
    for (const facts of [['a', 'bc'], ['abc'], ['ab', 'c', ''], ['c', 'ab']]) {
      assert.ok(!secrets.isBound(mac, ...facts), facts.join())
    }
    assert.ok(!secrets.isBound('', 'ab', 'c'))
  })

  it('derive another key for every purpose', () => {
    assert.notDeepEqual(secrets.derive('cookies'), secrets.derive('seal'))
  })

  it('are never written over', () => {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-secrets-'))
    const file = join(folder, 'secrets.key')
    Secrets.create(file)
    assert.throws(() => {
      Secrets.create(file)
    }, /EEXIST/)
    rmSync(folder, { recursive: true })
  })
})

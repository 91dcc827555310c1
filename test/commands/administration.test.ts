import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { Installation, type Outcome } from './openrssp.js'

describe('Administration from the command line', () => {
  let installation: Installation

  before(async () => {
    installation = await Installation.make()
    await installation.json('user', 'add', 'alice', '--given-name', 'Alice', '--surname', 'Archer')
  })
  after(() => {
    installation.remove()
  })

  const run = (...args: string[]): Promise<Outcome> => installation.run(...args)

  async function assertRefused(args: string[], words: string): Promise<void> {
    const { code, stdout, stderr } = await run(...args)
    assert.deepEqual([code, stdout, stderr], [1, '', `openrssp: ${words}\n`])
  }

  /** Every byte of the database, with what is still in its journal. */
  const databaseBytes = (): Buffer => {
    const database = new Sqlite(installation.databaseFile)
    database.pragma('wal_checkpoint(TRUNCATE)')
    database.close()
    return readFileSync(installation.databaseFile)
  }

  it('keeps the database and the audit head for its owner alone', () => {
    for (const file of [installation.databaseFile, installation.headFile]) {
      assert.equal(statSync(file).mode & 0o777, 0o600, file)
    }
  })

  describe('openrssp user', () => {
    const person = ['--given-name', 'Bob', '--surname', 'Baker']

    it('add: prints the first password and the authenticator secret, and keeps neither in plain', async () => {
      const added = await installation.json('user', 'add', 'bob', ...person, '--country', 'DE')
      assert.deepEqual(Object.keys(added), ['id', 'username', 'password', 'totpSecret'])
      assert.equal(added.username, 'bob')
      assert.match(added.password, /^[\w-]{16}$/)
      assert.match(added.totpSecret, /^[A-Z2-7]{32}$/)
      const bytes = databaseBytes()
      assert.ok(bytes.includes('bob'))
      for (const secret of [added.password, added.totpSecret]) assert.ok(!bytes.includes(secret))
      for (const command of [
        ['user', 'list'],
        ['user', 'list', '--json'],
        ['audit', 'export'],
      ]) {
        const { stdout } = await run(...command)
        assert.ok(stdout.includes('bob'), command.join(' '))
        for (const secret of [added.password, added.totpSecret]) {
          assert.ok(!stdout.includes(secret), command.join(' '))
        }
      }
    })

    it('add: reads well without --json', async () => {
      const { code, stdout } = await run('user', 'add', 'carol', ...person)
      assert.equal(code, 0)
      assert.match(
        stdout,
        /^id {10}[0-9a-f-]{36}\nusername {4}carol\npassword {4}\S{16}\ntotpSecret {2}\S{32}\n$/,
      )
    })

    it('list: shows everybody, without secrets', async () => {
      const rows = await installation.json('user', 'list')
      const alice = rows.find(({ username }: { username: string }) => username === 'alice')
      assert.deepEqual(
        { ...alice, id: '' },
        { id: '', username: 'alice', displayName: 'Alice Archer', state: 'active' },
      )
      const { stdout } = await run('user', 'list')
      assert.match(stdout, /^id +username +displayName +state$/m)
      assert.match(stdout, /^[0-9a-f-]{36} +alice +Alice Archer +active$/m)
    })

    it('disable: ends a person’s access, once', async () => {
      await installation.json('user', 'add', 'dave', ...person)
      const first = await installation.json('user', 'disable', 'dave')
      assert.deepEqual(first, { username: 'dave', disabled: true })
      const again = await installation.json('user', 'disable', 'dave')
      assert.deepEqual(again, { username: 'dave', disabled: false })
      const { stdout } = await run('user', 'list')
      assert.match(stdout, /dave +Bob Baker +disabled$/m)
      await assertRefused(['credential', 'create', 'dave'], 'dave is disabled.')
    })

    describe('with a person whom something else changed in the database (S17)', () => {
      const changed = () => {
        const database = new Sqlite(installation.databaseFile)
        database.exec(`UPDATE "User" SET "email" = 'mallory@example.org' WHERE "username" = 'dora'`)
        database.close()
      }
      before(async () => {
        const name = ['--given-name', 'Dora', '--surname', 'Dean']
        await installation.json('user', 'add', 'dora', ...name, '--email', 'dora@example.org')
        changed()
      })
      const state = async () => {
        const listed: { username: string; state: string }[] = await installation.json(
          'user',
          'list',
        )
        return listed.find(({ username }) => username === 'dora')?.state
      }

      it('list: says so', async () => {
        assert.equal(await state(), 'changed by something else')
      })

      it('set: refuses, and says what to do', () =>
        assertRefused(
          ['user', 'set', 'dora', '--email', 'none'],
          'What the database says of "dora" was changed by something else. See "openrssp user confirm dora".',
        ))

      it('confirm: shows what there is, and takes it only when told to', async () => {
        const shown = await installation.json('user', 'confirm', 'dora')
        assert.deepEqual([shown.email, shown.confirmed], ['mallory@example.org', false])
        assert.equal(await state(), 'changed by something else')
        const taken = await installation.json('user', 'confirm', 'dora', '--yes')
        assert.deepEqual([taken.confirmed, taken.state], [true, 'active'])
        assert.equal(await state(), 'active')
      })

      it('disable: works all the same', async () => {
        changed()
        const database = new Sqlite(installation.databaseFile)
        database.exec(`UPDATE "User" SET "phone" = '+491701234567' WHERE "username" = 'dora'`)
        database.close()
        const { disabled } = await installation.json('user', 'disable', 'dora')
        assert.equal(disabled, true)
      })
    })

    it('refuses a name that is taken', () =>
      assertRefused(['user', 'add', 'alice', ...person], 'There is a user "alice" already.'))

    it('refuses to disable nobody', () =>
      assertRefused(['user', 'disable', 'nobody'], 'There is no user "nobody".'))

    const username = 'A username is 1 to 64 letters, digits or any of . _ - + @'
    for (const name of ['', 'with space', 'a\u001b[2J', 'x'.repeat(65), 'a\nb']) {
      it(`refuses the username ${JSON.stringify(name.slice(0, 12))}`, () =>
        assertRefused(['user', 'add', name, ...person], username))
    }

    const refusals: [string[], string][] = [
      [
        ['--given-name', 'A\u001b[31m', '--surname', 'B'],
        'The given name must be 1 to 200 characters of plain text.',
      ],
      [
        ['--given-name', 'A', '--surname', ' '],
        'The surname must be 1 to 200 characters of plain text.',
      ],
      [
        ['--given-name', 'A', '--surname', 'x'.repeat(201)],
        'The surname must be 1 to 200 characters of plain text.',
      ],
      [[...person, '--email', 'nowhere'], '"nowhere" is not an e-mail address.'],
      [[...person, '--country', 'de'], 'A country is two capital letters, as in ISO 3166-1.'],
    ]
    for (const [options, words] of refusals) {
      it(`refuses ${JSON.stringify(options).slice(0, 60)}`, () =>
        assertRefused(['user', 'add', 'erin', ...options], words))
    }
  })

  describe('openrssp client', () => {
    const uri = ['--redirect-uri', 'https://app.example/callback']

    it('add: prints the secret, and does not keep it in plain', async () => {
      const added = await installation.json('client', 'add', 'app', 'The App', ...uri)
      assert.deepEqual(Object.keys(added), ['client_id', 'client_secret'])
      assert.match(added.client_secret, /^[\w-]{43}$/)
      assert.ok(!databaseBytes().includes(added.client_secret))
      for (const command of [
        ['client', 'list', '--json'],
        ['audit', 'export'],
      ]) {
        assert.ok(!(await run(...command)).stdout.includes(added.client_secret))
      }
    })

    it('add --public: gives no secret to an application that cannot keep one', async () => {
      const added = await installation.json('client', 'add', 'spa', 'Page', ...uri, '--public')
      assert.deepEqual(added, { client_id: 'spa', client_secret: null })
    })

    it('list: shows what is registered', async () => {
      await installation.json('client', 'add', 'listed', 'Listed', ...uri, 'http://127.0.0.1:1/cb')
      const rows = await installation.json('client', 'list')
      const found = rows.find(({ client_id }: { client_id: string }) => client_id === 'listed')
      assert.deepEqual(found, {
        client_id: 'listed',
        name: 'Listed',
        redirectUris: ['https://app.example/callback', 'http://127.0.0.1:1/cb'],
        quirks: [],
        state: 'active',
      })
    })

    it('add --quirk: lets an application do what it does otherwise', async () => {
      const quirks = ['--quirk', 'v1-names', 'no-pkce', 'v1-names']
      await installation.json('client', 'add', 'v1-app', 'Of v1', ...uri, ...quirks)
      const rows = await installation.json('client', 'list')
      const found = rows.find(({ client_id }: { client_id: string }) => client_id === 'v1-app')
      assert.deepEqual(found.quirks, ['v1-names', 'no-pkce'])
      await assertRefused(
        ['client', 'add', 'v1-spa', 'Of v1', ...uri, '--public', '--quirk', 'no-pkce'],
        'Without a secret an application has to send a code challenge.',
      )
      const unknown = await run('client', 'add', 'v1-x', 'Of v1', ...uri, '--quirk', 'no-hash')
      assert.equal(unknown.code, 1)
    })

    it('add --response-uri-host: takes hosts that the configuration allows, and no others', async () => {
      await assertRefused(
        ['client', 'add', 'told', 'Told', ...uri, '--response-uri-host', 'elsewhere.example'],
        '"elsewhere.example" is not in policy.responseUriHosts of the configuration.',
      )
    })

    it('add --public: takes the address of an app by its own scheme, of no other application', async () => {
      const own = ['--redirect-uri', 'com.example.app:/callback']
      const added = await installation.json('client', 'add', 'phone', 'App', ...own, '--public')
      assert.equal(added.client_secret, null)
      await assertRefused(
        ['client', 'add', 'phone2', 'App', ...own],
        '"com.example.app:/callback" is not a redirect URI: give an absolute http(s) URI without fragment.',
      )
    })

    it('add: demands no redirect URI of one that acts for itself, or introspects, alone', async () => {
      await assertRefused(
        ['client', 'add', 'homeless', 'App'],
        'Say where signers come back to: --redirect-uri.',
      )
      await installation.json('client', 'add', 'machine', 'Machine', '--for-itself')
      await installation.json('client', 'add', 'guard', 'Resource server', '--introspects-all')
      const rows = await installation.json('client', 'list')
      for (const id of ['machine', 'guard']) {
        const found = rows.find(({ client_id }: { client_id: string }) => client_id === id)
        assert.deepEqual(found.redirectUris, [], id)
      }
    })

    it('add: binds tokens in one way, that works, and takes subjects as they are compared', async () => {
      const add = ['client', 'add', 'bound', 'Bound', ...uri]
      const oneWay =
        'A token is bound to a key or to a certificate: choose --bind-to-key, or --bind-to-certificate or --tls-subject.'
      await assertRefused([...add, '--bind-to-key', '--bind-to-certificate'], oneWay)
      await assertRefused(
        [...add, '--tls-subject', 'CN=app, O=Example'],
        '"CN=app, O=Example" is no name as RFC 4514 writes it, such as CN=app,O=Example,C=LT.',
      )
      const first =
        'No certificate of an application gets here yet; first configure proxy.clientCertificateHeader.'
      const byName = [...add, '--tls-subject', String.raw`CN=a\, b+2.5.4.97=#0c0158,O=Example`]
      await assertRefused(byName, first)
      const addresses = ['127.0.0.1']
      const clientCertificateHeader = 'client-cert'
      installation.configure({ proxy: { trusted: true, addresses, clientCertificateHeader } })
      const { client_secret } = await installation.json(...byName)
      assert.equal(client_secret, null)
      installation.configure({})
    })

    it('disable: ends its access, once', async () => {
      await installation.json('client', 'add', 'old', 'Old', ...uri)
      const first = await installation.json('client', 'disable', 'old')
      assert.deepEqual(first, { client_id: 'old', disabled: true })
      const again = await installation.json('client', 'disable', 'old')
      assert.deepEqual(again, { client_id: 'old', disabled: false })
      assert.match((await run('client', 'list')).stdout, /^old .* disabled$/m)
    })

    it('refuses an identifier that is taken', async () => {
      await installation.json('client', 'add', 'taken', 'Taken', ...uri)
      await assertRefused(
        ['client', 'add', 'taken', 'X', ...uri],
        'There is a client "taken" already.',
      )
    })

    it('refuses to disable an unknown one', () =>
      assertRefused(['client', 'disable', 'nobody'], 'There is no client "nobody".'))

    it('refuses identifiers and names that pages or logs could stumble over', async () => {
      await assertRefused(
        ['client', 'add', 'a b', 'X', ...uri],
        'A client_id is 1 to 64 letters, digits, dots, dashes or underscores.',
      )
      await assertRefused(
        ['client', 'add', 'app3', 'X\u202e', ...uri],
        'The name must be 1 to 200 characters of plain text.',
      )
    })

    for (const redirect of [
      'callback',
      '/callback',
      'javascript:alert(1)',
      'https://app.example/#x',
      'https://user@app.example/',
    ]) {
      it(`refuses the redirect URI ${redirect}`, () =>
        assertRefused(
          ['client', 'add', 'app4', 'X', '--redirect-uri', redirect],
          `"${redirect}" is not a redirect URI: give an absolute http(s) URI without fragment.`,
        ))
    }
  })

  describe('openrssp credential', () => {
    it('create: makes a key in the token with a certificate for the person', async () => {
      const created = await installation.json('credential', 'create', 'alice', '-a', 'p-384')
      assert.deepEqual(
        { ...created, credentialID: '' },
        { credentialID: '', algorithm: 'p-384', username: 'alice' },
      )
      const rows = await installation.json('credential', 'list', 'alice')
      const found = rows.find(
        ({ credentialID }: { credentialID: string }) => credentialID === created.credentialID,
      )
      assert.deepEqual(found, {
        credentialID: created.credentialID,
        owner: 'alice',
        keyAlgorithm: 'p-384',
        status: 'enabled',
        certificate: 'valid',
        SCAL: '2',
        description: 'Signing key',
      })
    })

    it('revoke: ends it for good, destroys the key, and puts both on record', async () => {
      const { credentialID } = await installation.json('credential', 'create', 'alice')
      const revoked = await installation.json('credential', 'revoke', credentialID, '-r', 'lost')
      assert.deepEqual(revoked, { credentialID, status: 'revoked' })
      const { stdout } = await run('credential', 'list')
      assert.match(stdout, new RegExp(`^${credentialID} +alice +p-256 +revoked +revoked `, 'm'))
      const log = (await run('audit', 'export')).stdout
      assert.ok(log.includes(`{\\"credentialId\\":\\"${credentialID}\\",\\"reason\\":\\"lost\\"}`))
      assert.match(log, /"event":"key\.destroyed"/)
      await assertRefused(
        ['credential', 'revoke', credentialID],
        `There is no credential "${credentialID}" that could be revoked.`,
      )
    })

    it('suspend and resume: without the token, each once, with the reason on record', async () => {
      const { credentialID } = await installation.json('credential', 'create', 'alice')
      const { hsm } = installation.settings
      installation.configure({ hsm: { ...hsm, tokenLabel: 'another' } })
      const suspended = await installation.json(
        'credential',
        'suspend',
        credentialID,
        '-r',
        'theft',
      )
      assert.deepEqual(suspended, { credentialID, status: 'suspended' })
      const log = (await run('audit', 'export')).stdout
      assert.ok(log.includes(`{\\"credentialId\\":\\"${credentialID}\\",\\"reason\\":\\"theft\\"}`))
      const resumed = await installation.json('credential', 'resume', credentialID)
      assert.deepEqual(resumed, { credentialID, status: 'enabled' })
      await assertRefused(
        ['credential', 'resume', credentialID],
        `There is no credential "${credentialID}" that could be resumed.`,
      )
      installation.configure({})
    })

    it('create --seal-of: makes a seal for an application, and prints its PIN once', async () => {
      await installation.json('client', 'add', 'sealer', 'Sealer', '--for-itself')
      const seal = ['credential', 'create', 'alice', '--seal-of', 'sealer']
      const created = await installation.json(...seal)
      assert.match(created.PIN, /^\d{12}$/)
      assert.ok(!databaseBytes().includes(created.PIN))
      await assertRefused(
        ['credential', 'create', 'alice', '--seal-of', 'nobody'],
        '"nobody" is no client that gets tokens for itself.',
      )
      await assertRefused(
        ['credential', 'create', 'alice', '--without-pin'],
        '--without-pin is for seals: say --seal-of.',
      )
    })

    it('refuses people who are not there', async () => {
      await assertRefused(['credential', 'create', 'nobody'], 'There is no user "nobody".')
      await assertRefused(['credential', 'list', 'nobody'], 'There is no user "nobody".')
    })

    it('lists nothing in words for people and as an empty array for scripts', async () => {
      await installation.json('user', 'add', 'fay', '--given-name', 'F', '--surname', 'G')
      assert.equal((await run('credential', 'list', 'fay')).stdout, 'None.\n')
      assert.deepEqual(await installation.json('credential', 'list', 'fay'), [])
    })

    it('ends with a clear message when the token does not open', async () => {
      const other = await Installation.make()
      try {
        const { hsm } = other.settings
        other.configure({ hsm: { ...hsm, tokenLabel: 'another' } })
        const { code, stderr } = await other.run('credential', 'create', 'alice')
        assert.equal(code, 1)
        assert.match(stderr, /^openrssp: .*(CKR_TOKEN_NOT_PRESENT|another)/)
      } finally {
        other.remove()
      }
    })
  })

  it('leaves an intact audit log behind', async () => {
    const { code, stdout } = await run('audit', 'verify')
    assert.equal(code, 0, stdout)
  })
})

-- CreateTable
CREATE TABLE "HsmKey" (
    "keyId" TEXT NOT NULL PRIMARY KEY,
    "algorithm" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "publicKey" TEXT,
    "wrapped" TEXT,
    "abandonedAt" DATETIME,
    "missingSince" DATETIME
);

-- CreateIndex
CREATE INDEX "HsmKey_state_algorithm_idx" ON "HsmKey"("state", "algorithm");

-- Keys of before.
INSERT INTO "HsmKey" ("keyId", "algorithm", "state")
  SELECT "keyId", "keyAlgorithm", 'owned' FROM "Credential" WHERE "status" NOT IN ('revoked', 'deleted');
INSERT INTO "HsmKey" ("keyId", "algorithm", "state") SELECT "keyId", 'p-384', 'owned' FROM "AuthorityKey";

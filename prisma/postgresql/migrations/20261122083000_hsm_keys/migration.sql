-- CreateTable
CREATE TABLE "HsmKey" (
    "keyId" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "publicKey" TEXT,
    "wrapped" TEXT,
    "abandonedAt" TIMESTAMP(3),
    "missingSince" TIMESTAMP(3),

    CONSTRAINT "HsmKey_pkey" PRIMARY KEY ("keyId")
);

-- CreateIndex
CREATE INDEX "HsmKey_state_algorithm_idx" ON "HsmKey"("state", "algorithm");

-- Keys of before.
INSERT INTO "HsmKey" ("keyId", "algorithm", "state")
  SELECT "keyId", "keyAlgorithm", 'owned' FROM "Credential" WHERE "status" NOT IN ('revoked', 'deleted');
INSERT INTO "HsmKey" ("keyId", "algorithm", "state") SELECT "keyId", 'p-384', 'owned' FROM "AuthorityKey";

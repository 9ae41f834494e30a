-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "api" (
    "id" UUID NOT NULL,
    "audience" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "token_ttl" INTEGER NOT NULL DEFAULT 300,
    "token_format" TEXT NOT NULL DEFAULT 'jwt',
    "signing_alg" TEXT NOT NULL DEFAULT 'ES256',
    "claim_profile" TEXT NOT NULL DEFAULT 'standard',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "api_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "permission" (
    "id" UUID NOT NULL,
    "api_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "permission_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "role" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "built_in" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "role_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "role_inclusion" (
    "role_id" UUID NOT NULL,
    "included_id" UUID NOT NULL,

    CONSTRAINT "role_inclusion_pkey" PRIMARY KEY ("role_id","included_id")
);

-- CreateTable
CREATE TABLE "role_reach" (
    "role_id" UUID NOT NULL,
    "reaches_id" UUID NOT NULL,

    CONSTRAINT "role_reach_pkey" PRIMARY KEY ("role_id","reaches_id")
);

-- CreateTable
CREATE TABLE "role_permission" (
    "role_id" UUID NOT NULL,
    "permission_id" UUID NOT NULL,

    CONSTRAINT "role_permission_pkey" PRIMARY KEY ("role_id","permission_id")
);

-- CreateTable
CREATE TABLE "assignment" (
    "id" UUID NOT NULL,
    "role_id" UUID NOT NULL,
    "user_id" UUID,
    "service_account_id" UUID,
    "team_id" UUID,
    "granted_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "assignment_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "authorization_detail_type" (
    "type" TEXT NOT NULL,
    "api_id" UUID NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "schema" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "authorization_detail_type_pkey" PRIMARY KEY ("type")
);

-- CreateTable
CREATE TABLE "exchange_rule" (
    "client_id" TEXT NOT NULL,
    "api_id" UUID NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "exchange_rule_pkey" PRIMARY KEY ("client_id","api_id")
);

-- CreateTable
CREATE TABLE "user_account" (
    "id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "email_normalized" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "disabled_at" TIMESTAMPTZ(3),
    "last_sign_in_at" TIMESTAMPTZ(3),

    CONSTRAINT "user_account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "one_time_link" (
    "id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "token_enc" BYTEA,
    "user_id" UUID,
    "created_by" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "one_time_link_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "client" (
    "client_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "auth_method" TEXT NOT NULL,
    "jwks" JSONB,
    "jwks_uri" TEXT,
    "settings" JSONB NOT NULL DEFAULT '{}',
    "redirect_uris" TEXT[],
    "post_logout_redirect_uris" TEXT[],
    "scopes" TEXT[],
    "first_party" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "disabled_at" TIMESTAMPTZ(3),

    CONSTRAINT "client_pkey" PRIMARY KEY ("client_id")
);

-- CreateTable
CREATE TABLE "client_secret" (
    "id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "prefix" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "client_secret_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "client_permission" (
    "client_id" TEXT NOT NULL,
    "permission_id" UUID NOT NULL,

    CONSTRAINT "client_permission_pkey" PRIMARY KEY ("client_id","permission_id")
);

-- CreateTable
CREATE TABLE "service_account" (
    "id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "disabled_at" TIMESTAMPTZ(3),
    "owner_team_id" UUID,
    "contact" TEXT NOT NULL DEFAULT '',
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "service_account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "service_account_permission" (
    "service_account_id" UUID NOT NULL,
    "permission_id" UUID NOT NULL,

    CONSTRAINT "service_account_permission_pkey" PRIMARY KEY ("service_account_id","permission_id")
);

-- CreateTable
CREATE TABLE "consent" (
    "user_id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "scopes" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "consent_pkey" PRIMARY KEY ("user_id","client_id")
);

-- CreateTable
CREATE TABLE "workload_trust" (
    "id" UUID NOT NULL,
    "service_account_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "preset" TEXT NOT NULL DEFAULT 'custom',
    "issuer" TEXT NOT NULL,
    "jwks_uri" TEXT,
    "jwks" JSONB,
    "audience" TEXT NOT NULL,
    "claims" JSONB NOT NULL,
    "max_age" INTEGER NOT NULL,
    "single_use" BOOLEAN NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "disabled_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "workload_trust_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "password" (
    "user_id" UUID NOT NULL,
    "hash" TEXT NOT NULL,
    "pepper_id" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "password_pkey" PRIMARY KEY ("user_id")
);

-- CreateTable
CREATE TABLE "totp_factor" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "secret_enc" BYTEA NOT NULL,
    "last_step" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "confirmed_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "totp_factor_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "recovery_code" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "code_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "recovery_code_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session" (
    "id_hash" BYTEA NOT NULL,
    "uid" TEXT NOT NULL,
    "user_id" UUID,
    "payload" JSONB NOT NULL,
    "address" TEXT NOT NULL DEFAULT '',
    "user_agent" TEXT NOT NULL DEFAULT '',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "session_pkey" PRIMARY KEY ("id_hash")
);

-- CreateTable
CREATE TABLE "session_client" (
    "session_uid" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "sid" TEXT NOT NULL,
    "grant_id" TEXT,

    CONSTRAINT "session_client_pkey" PRIMARY KEY ("session_uid","client_id")
);

-- CreateTable
CREATE TABLE "console_session" (
    "id_hash" BYTEA NOT NULL,
    "session_uid" TEXT NOT NULL,
    "user_id" UUID NOT NULL,
    "acr" TEXT NOT NULL,
    "auth_time" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "console_session_pkey" PRIMARY KEY ("id_hash")
);

-- CreateTable
CREATE TABLE "token" (
    "id_hash" BYTEA NOT NULL,
    "kind" TEXT NOT NULL,
    "jti" TEXT NOT NULL,
    "format" TEXT NOT NULL DEFAULT 'opaque',
    "user_id" UUID,
    "service_account_id" UUID,
    "client_id" TEXT,
    "grant_id" TEXT,
    "session_uid" TEXT,
    "parent_jti" TEXT,
    "kid" TEXT,
    "scopes" TEXT[],
    "audience" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "consumed_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "payload" JSONB,

    CONSTRAINT "token_pkey" PRIMARY KEY ("id_hash")
);

-- CreateTable
CREATE TABLE "signing_key" (
    "kid" TEXT NOT NULL,
    "alg" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "private_enc" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "activated_at" TIMESTAMPTZ(3),
    "retires_at" TIMESTAMPTZ(3),

    CONSTRAINT "signing_key_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "audit_event" (
    "id" UUID NOT NULL,
    "seq" BIGSERIAL NOT NULL,
    "time" TIMESTAMPTZ(3) NOT NULL,
    "action" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "reason" TEXT,
    "actor_type" TEXT NOT NULL,
    "actor_id" TEXT,
    "actor_name" TEXT,
    "target_type" TEXT,
    "target_id" TEXT,
    "target_name" TEXT,
    "client_id" TEXT,
    "address" TEXT,
    "user_agent" TEXT,
    "request_id" TEXT,
    "data" JSONB,

    CONSTRAINT "audit_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "abuse_counter" (
    "key_hash" BYTEA NOT NULL,
    "failures" INTEGER NOT NULL,
    "first_at" TIMESTAMPTZ(3) NOT NULL,
    "blocked_until" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "abuse_counter_pkey" PRIMARY KEY ("key_hash")
);

-- CreateTable
CREATE TABLE "setting" (
    "name" TEXT NOT NULL,
    "value" JSONB,
    "value_enc" BYTEA,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "setting_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "lease" (
    "name" TEXT NOT NULL,
    "holder" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "lease_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "initial_access_token" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "prefix" TEXT NOT NULL,
    "policy" JSONB NOT NULL,
    "uses" INTEGER NOT NULL,
    "used" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "initial_access_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "client_registration" (
    "client_id" TEXT NOT NULL,
    "initial_token_id" UUID NOT NULL,
    "policy" JSONB NOT NULL,
    "metadata" JSONB NOT NULL,
    "access_token_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "client_registration_pkey" PRIMARY KEY ("client_id")
);

-- CreateTable
CREATE TABLE "sign_in_attempt" (
    "uid_hash" BYTEA NOT NULL,
    "user_id" UUID NOT NULL,
    "amr" TEXT[],
    "password_at" TIMESTAMPTZ(3) NOT NULL,
    "factor_at" TIMESTAMPTZ(3),
    "must_enroll" BOOLEAN NOT NULL DEFAULT false,
    "enroll_enc" BYTEA,
    "codes_shown_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "sign_in_attempt_pkey" PRIMARY KEY ("uid_hash")
);

-- CreateTable
CREATE TABLE "team" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "parent_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "team_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "team_reach" (
    "team_id" UUID NOT NULL,
    "reaches_id" UUID NOT NULL,

    CONSTRAINT "team_reach_pkey" PRIMARY KEY ("team_id","reaches_id")
);

-- CreateTable
CREATE TABLE "team_manager" (
    "team_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "team_manager_pkey" PRIMARY KEY ("team_id","user_id")
);

-- CreateTable
CREATE TABLE "team_member" (
    "id" UUID NOT NULL,
    "team_id" UUID NOT NULL,
    "user_id" UUID,
    "service_account_id" UUID,
    "added_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "team_member_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "api_audience_key" ON "api"("audience");

-- CreateIndex
CREATE INDEX "api_created_at_id_idx" ON "api"("created_at" DESC, "id");

-- CreateIndex
CREATE UNIQUE INDEX "permission_api_id_name_key" ON "permission"("api_id", "name");

-- CreateIndex
CREATE UNIQUE INDEX "role_name_key" ON "role"("name");

-- CreateIndex
CREATE INDEX "role_inclusion_included_id_idx" ON "role_inclusion"("included_id");

-- CreateIndex
CREATE INDEX "role_reach_reaches_id_idx" ON "role_reach"("reaches_id");

-- CreateIndex
CREATE INDEX "role_permission_permission_id_idx" ON "role_permission"("permission_id");

-- CreateIndex
CREATE INDEX "assignment_user_id_idx" ON "assignment"("user_id");

-- CreateIndex
CREATE INDEX "assignment_service_account_id_idx" ON "assignment"("service_account_id");

-- CreateIndex
CREATE INDEX "assignment_team_id_idx" ON "assignment"("team_id");

-- CreateIndex
CREATE UNIQUE INDEX "assignment_role_id_user_id_key" ON "assignment"("role_id", "user_id");

-- CreateIndex
CREATE UNIQUE INDEX "assignment_role_id_service_account_id_key" ON "assignment"("role_id", "service_account_id");

-- CreateIndex
CREATE UNIQUE INDEX "assignment_role_id_team_id_key" ON "assignment"("role_id", "team_id");

-- CreateIndex
CREATE INDEX "authorization_detail_type_api_id_idx" ON "authorization_detail_type"("api_id");

-- CreateIndex
CREATE INDEX "exchange_rule_api_id_idx" ON "exchange_rule"("api_id");

-- CreateIndex
CREATE UNIQUE INDEX "user_account_email_normalized_key" ON "user_account"("email_normalized");

-- CreateIndex
CREATE INDEX "user_account_created_at_id_idx" ON "user_account"("created_at" DESC, "id");

-- CreateIndex
CREATE UNIQUE INDEX "one_time_link_token_hash_key" ON "one_time_link"("token_hash");

-- CreateIndex
CREATE INDEX "one_time_link_user_id_idx" ON "one_time_link"("user_id");

-- CreateIndex
CREATE INDEX "one_time_link_expires_at_idx" ON "one_time_link"("expires_at");

-- CreateIndex
CREATE INDEX "client_type_created_at_client_id_idx" ON "client"("type", "created_at" DESC, "client_id");

-- CreateIndex
CREATE INDEX "client_secret_client_id_idx" ON "client_secret"("client_id");

-- CreateIndex
CREATE INDEX "client_secret_secret_hash_idx" ON "client_secret"("secret_hash");

-- CreateIndex
CREATE INDEX "client_permission_permission_id_idx" ON "client_permission"("permission_id");

-- CreateIndex
CREATE UNIQUE INDEX "service_account_client_id_key" ON "service_account"("client_id");

-- CreateIndex
CREATE UNIQUE INDEX "service_account_name_key" ON "service_account"("name");

-- CreateIndex
CREATE INDEX "service_account_owner_team_id_idx" ON "service_account"("owner_team_id");

-- CreateIndex
CREATE INDEX "service_account_created_at_id_idx" ON "service_account"("created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "service_account_permission_permission_id_idx" ON "service_account_permission"("permission_id");

-- CreateIndex
CREATE INDEX "consent_client_id_idx" ON "consent"("client_id");

-- CreateIndex
CREATE INDEX "workload_trust_issuer_idx" ON "workload_trust"("issuer");

-- CreateIndex
CREATE INDEX "workload_trust_service_account_id_idx" ON "workload_trust"("service_account_id");

-- CreateIndex
CREATE UNIQUE INDEX "totp_factor_user_id_key" ON "totp_factor"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "recovery_code_user_id_code_hash_key" ON "recovery_code"("user_id", "code_hash");

-- CreateIndex
CREATE UNIQUE INDEX "session_uid_key" ON "session"("uid");

-- CreateIndex
CREATE INDEX "session_user_id_idx" ON "session"("user_id");

-- CreateIndex
CREATE INDEX "session_expires_at_idx" ON "session"("expires_at");

-- CreateIndex
CREATE INDEX "console_session_session_uid_idx" ON "console_session"("session_uid");

-- CreateIndex
CREATE INDEX "console_session_user_id_idx" ON "console_session"("user_id");

-- CreateIndex
CREATE INDEX "console_session_expires_at_idx" ON "console_session"("expires_at");

-- CreateIndex
CREATE INDEX "token_jti_idx" ON "token"("jti");

-- CreateIndex
CREATE INDEX "token_client_id_idx" ON "token"("client_id");

-- CreateIndex
CREATE INDEX "token_expires_at_idx" ON "token"("expires_at");

-- CreateIndex
CREATE INDEX "token_kind_created_at_id_hash_idx" ON "token"("kind", "created_at" DESC, "id_hash");

-- CreateIndex
CREATE INDEX "audit_event_time_id_idx" ON "audit_event"("time" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "audit_event_actor_id_time_idx" ON "audit_event"("actor_id", "time" DESC);

-- CreateIndex
CREATE INDEX "audit_event_action_time_idx" ON "audit_event"("action", "time" DESC);

-- CreateIndex
CREATE INDEX "audit_event_client_id_time_idx" ON "audit_event"("client_id", "time" DESC);

-- CreateIndex
CREATE INDEX "audit_event_request_id_idx" ON "audit_event"("request_id");

-- CreateIndex
CREATE INDEX "abuse_counter_expires_at_idx" ON "abuse_counter"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "initial_access_token_token_hash_key" ON "initial_access_token"("token_hash");

-- CreateIndex
CREATE INDEX "initial_access_token_created_at_id_idx" ON "initial_access_token"("created_at" DESC, "id");

-- CreateIndex
CREATE UNIQUE INDEX "client_registration_access_token_hash_key" ON "client_registration"("access_token_hash");

-- CreateIndex
CREATE INDEX "client_registration_initial_token_id_idx" ON "client_registration"("initial_token_id");

-- CreateIndex
CREATE INDEX "sign_in_attempt_expires_at_idx" ON "sign_in_attempt"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "team_name_key" ON "team"("name");

-- CreateIndex
CREATE INDEX "team_parent_id_idx" ON "team"("parent_id");

-- CreateIndex
CREATE INDEX "team_reach_reaches_id_idx" ON "team_reach"("reaches_id");

-- CreateIndex
CREATE INDEX "team_manager_user_id_idx" ON "team_manager"("user_id");

-- CreateIndex
CREATE INDEX "team_member_user_id_idx" ON "team_member"("user_id");

-- CreateIndex
CREATE INDEX "team_member_service_account_id_idx" ON "team_member"("service_account_id");

-- CreateIndex
CREATE UNIQUE INDEX "team_member_team_id_user_id_key" ON "team_member"("team_id", "user_id");

-- CreateIndex
CREATE UNIQUE INDEX "team_member_team_id_service_account_id_key" ON "team_member"("team_id", "service_account_id");

-- AddForeignKey
ALTER TABLE "permission" ADD CONSTRAINT "permission_api_id_fkey" FOREIGN KEY ("api_id") REFERENCES "api"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_inclusion" ADD CONSTRAINT "role_inclusion_role_id_fkey" FOREIGN KEY ("role_id") REFERENCES "role"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_inclusion" ADD CONSTRAINT "role_inclusion_included_id_fkey" FOREIGN KEY ("included_id") REFERENCES "role"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_reach" ADD CONSTRAINT "role_reach_role_id_fkey" FOREIGN KEY ("role_id") REFERENCES "role"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_reach" ADD CONSTRAINT "role_reach_reaches_id_fkey" FOREIGN KEY ("reaches_id") REFERENCES "role"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_permission" ADD CONSTRAINT "role_permission_role_id_fkey" FOREIGN KEY ("role_id") REFERENCES "role"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_permission" ADD CONSTRAINT "role_permission_permission_id_fkey" FOREIGN KEY ("permission_id") REFERENCES "permission"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "assignment" ADD CONSTRAINT "assignment_role_id_fkey" FOREIGN KEY ("role_id") REFERENCES "role"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "assignment" ADD CONSTRAINT "assignment_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "assignment" ADD CONSTRAINT "assignment_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "assignment" ADD CONSTRAINT "assignment_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "team"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "authorization_detail_type" ADD CONSTRAINT "authorization_detail_type_api_id_fkey" FOREIGN KEY ("api_id") REFERENCES "api"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "exchange_rule" ADD CONSTRAINT "exchange_rule_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "client"("client_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "exchange_rule" ADD CONSTRAINT "exchange_rule_api_id_fkey" FOREIGN KEY ("api_id") REFERENCES "api"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "one_time_link" ADD CONSTRAINT "one_time_link_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "client_secret" ADD CONSTRAINT "client_secret_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "client"("client_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "client_permission" ADD CONSTRAINT "client_permission_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "client"("client_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "client_permission" ADD CONSTRAINT "client_permission_permission_id_fkey" FOREIGN KEY ("permission_id") REFERENCES "permission"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "service_account" ADD CONSTRAINT "service_account_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "client"("client_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "service_account" ADD CONSTRAINT "service_account_owner_team_id_fkey" FOREIGN KEY ("owner_team_id") REFERENCES "team"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "service_account_permission" ADD CONSTRAINT "service_account_permission_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "service_account_permission" ADD CONSTRAINT "service_account_permission_permission_id_fkey" FOREIGN KEY ("permission_id") REFERENCES "permission"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "consent" ADD CONSTRAINT "consent_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "consent" ADD CONSTRAINT "consent_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "client"("client_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "workload_trust" ADD CONSTRAINT "workload_trust_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "password" ADD CONSTRAINT "password_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "totp_factor" ADD CONSTRAINT "totp_factor_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "recovery_code" ADD CONSTRAINT "recovery_code_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session" ADD CONSTRAINT "session_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_client" ADD CONSTRAINT "session_client_session_uid_fkey" FOREIGN KEY ("session_uid") REFERENCES "session"("uid") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "console_session" ADD CONSTRAINT "console_session_session_uid_fkey" FOREIGN KEY ("session_uid") REFERENCES "session"("uid") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "client_registration" ADD CONSTRAINT "client_registration_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "client"("client_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "client_registration" ADD CONSTRAINT "client_registration_initial_token_id_fkey" FOREIGN KEY ("initial_token_id") REFERENCES "initial_access_token"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team" ADD CONSTRAINT "team_parent_id_fkey" FOREIGN KEY ("parent_id") REFERENCES "team"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team_reach" ADD CONSTRAINT "team_reach_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "team"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team_reach" ADD CONSTRAINT "team_reach_reaches_id_fkey" FOREIGN KEY ("reaches_id") REFERENCES "team"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team_manager" ADD CONSTRAINT "team_manager_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "team"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team_manager" ADD CONSTRAINT "team_manager_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team_member" ADD CONSTRAINT "team_member_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "team"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team_member" ADD CONSTRAINT "team_member_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "user_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team_member" ADD CONSTRAINT "team_member_service_account_id_fkey" FOREIGN KEY ("service_account_id") REFERENCES "service_account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema language can't say.

ALTER TABLE "user_account"
    ADD CONSTRAINT "user_account_status_check" CHECK ("status" IN ('invited', 'active', 'disabled'));

ALTER TABLE "one_time_link"
    ADD CONSTRAINT "one_time_link_kind_check" CHECK ("kind" IN ('setup', 'invite', 'ticket')),
    ADD CONSTRAINT "one_time_link_token_enc_check" CHECK ("token_enc" IS NULL OR "kind" = 'setup');

ALTER TABLE "client"
    ADD CONSTRAINT "client_type_check" CHECK ("type" IN ('web', 'spa', 'native', 'service')),
    ADD CONSTRAINT "client_auth_method_check" CHECK ("auth_method" IN
        ('client_secret_basic', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth', 'none')),
    ADD CONSTRAINT "client_jwks_check" CHECK (num_nonnulls("jwks", "jwks_uri") <= 1),
    ADD CONSTRAINT "client_keys_check" CHECK ("auth_method" NOT IN ('private_key_jwt', 'self_signed_tls_client_auth')
        OR num_nonnulls("jwks", "jwks_uri") = 1);

ALTER TABLE "api"
    ADD CONSTRAINT "api_token_ttl_check" CHECK ("token_ttl" > 0),
    ADD CONSTRAINT "api_token_format_check" CHECK ("token_format" IN ('jwt', 'opaque')),
    ADD CONSTRAINT "api_signing_alg_check" CHECK ("signing_alg" IN ('ES256', 'EdDSA', 'RS256', 'PS256')),
    ADD CONSTRAINT "api_claim_profile_check" CHECK ("claim_profile" IN ('standard', 'keycloak', 'auth0'));

ALTER TABLE "assignment"
    ADD CONSTRAINT "assignment_one_holder_check" CHECK (num_nonnulls("user_id", "service_account_id", "team_id") = 1);

ALTER TABLE "team_member"
    ADD CONSTRAINT "team_member_one_check" CHECK (num_nonnulls("user_id", "service_account_id") = 1);

ALTER TABLE "workload_trust"
    ADD CONSTRAINT "workload_trust_keys_check" CHECK (num_nonnulls("jwks", "jwks_uri") <= 1),
    ADD CONSTRAINT "workload_trust_max_age_check" CHECK ("max_age" > 0);

ALTER TABLE "initial_access_token"
    ADD CONSTRAINT "initial_access_token_uses_check" CHECK ("uses" > 0 AND "used" BETWEEN 0 AND "uses");

ALTER TABLE "token"
    ADD CONSTRAINT "token_format_check" CHECK ("format" IN ('opaque', 'jwt'));

-- Partial: what a row does not have costs it nothing.
CREATE INDEX "token_parent_jti_idx" ON "token" ("parent_jti") WHERE "parent_jti" IS NOT NULL;
CREATE INDEX "token_grant_id_idx" ON "token" ("grant_id") WHERE "grant_id" IS NOT NULL;
CREATE INDEX "token_user_id_idx" ON "token" ("user_id") WHERE "user_id" IS NOT NULL;
CREATE INDEX "audit_event_target_id_time_idx" ON "audit_event" ("target_id", "time" DESC) WHERE "target_id" IS NOT NULL;

-- Requests that wait for a person: counted on each of their pages and at each new request.
CREATE INDEX "token_backchannel_idx" ON "token" ("user_id", "created_at")
    WHERE "kind" = 'BackchannelAuthenticationRequest';

ALTER TABLE "signing_key"
    ADD CONSTRAINT "signing_key_status_check" CHECK ("status" IN ('next', 'active', 'retiring', 'retired', 'revoked'));

ALTER TABLE "audit_event"
    ADD CONSTRAINT "audit_event_outcome_check" CHECK ("outcome" IN ('success', 'failure', 'denied')),
    ADD CONSTRAINT "audit_event_actor_type_check"
        CHECK ("actor_type" IN ('user', 'service_account', 'client', 'system', 'anonymous'));

ALTER TABLE "abuse_counter"
    ADD CONSTRAINT "abuse_counter_failures_check" CHECK ("failures" >= 0);

ALTER TABLE "setting"
    ADD CONSTRAINT "setting_one_value_check" CHECK (num_nonnulls("value", "value_enc") = 1);

-- The one built-in role.
INSERT INTO "role" ("id", "name", "description", "built_in", "created_at")
VALUES ('01930000-0000-7000-8000-000000000001', 'admin', 'Manages everything in Postern', true, now());

INSERT INTO "role_reach" ("role_id", "reaches_id")
VALUES ('01930000-0000-7000-8000-000000000001', '01930000-0000-7000-8000-000000000001');

-- Every role that a person or a service account holds: by itself or by a team, and by what those roles include.
CREATE VIEW "effective_role" AS
SELECT a."user_id", a."service_account_id", r."reaches_id" AS "role_id", a."expires_at"
FROM "assignment" a
JOIN "role_reach" r ON r."role_id" = a."role_id"
WHERE a."team_id" IS NULL
UNION ALL
SELECT m."user_id", m."service_account_id", r."reaches_id", a."expires_at"
FROM "team_member" m
JOIN "team_reach" t ON t."team_id" = m."team_id"
JOIN "assignment" a ON a."team_id" = t."reaches_id"
JOIN "role_reach" r ON r."role_id" = a."role_id";

-- A token that was exchanged (RFC 8693) ends with the one that it was exchanged for, whoever ends that and why. The
-- trigger runs after the parent's row was locked and reads anew, so it finds what was inserted until then; what is
-- inserted later is born revoked (src/oidc/token-row.ts).
CREATE FUNCTION "token_revoke_exchanged"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE "token" SET "revoked_at" = NEW."revoked_at" WHERE "parent_jti" = NEW."jti" AND "revoked_at" IS NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER "token_revoke_exchanged" AFTER UPDATE OF "revoked_at" ON "token" FOR EACH ROW
WHEN (OLD."revoked_at" IS NULL AND NEW."revoked_at" IS NOT NULL) EXECUTE FUNCTION "token_revoke_exchanged"();

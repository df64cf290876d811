"""Every document that onewriter sends to the Admin API; each is valid in 2026-07 and in 2026-10.

SMS consent is read from the flat fields of the phone number: they are deprecated in 2026-10, and what replaces them
does not exist in 2026-07.
"""

API_VERSION = "2026-10"
"""The version that is asked for; a shop's setting may name 2026-07."""

# Only lists and single objects, no connection: in a bulk file a nested connection would spread a customer over lines.
CUSTOMER_FIELDS = """
  id
  createdAt
  updatedAt
  firstName
  lastName
  note
  state
  locale
  tags
  defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt }
  defaultPhoneNumber {
    phoneNumber marketingState marketingOptInLevel marketingUpdatedAt
    whatsAppMarketingConsent { state optInLevel updatedAt }
  }
  defaultAddress { id }
  addresses(first: 10) {
    id firstName lastName company address1 address2 city provinceCode countryCodeV2 zip phone
  }
"""

BULK_CUSTOMERS_QUERY = "query { customers { edges { node {" + CUSTOMER_FIELDS + "} } } }"
"""The query inside a bulk operation: one connection, so that a line is a customer."""

_BULK_FIELDS = "id status createdAt objectCount url partialDataUrl errorCode"

BULK_RUN = (
    """mutation RunBulk($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { """
    + _BULK_FIELDS
    + """ }
    userErrors { code field message }
  }
}"""
)

BULK_STATUS = "query BulkStatus($id: ID!) { bulkOperation(id: $id) { " + _BULK_FIELDS + " } }"

BULK_RUNNING = (
    """query BulkRunning {
  bulkOperations(first: 20, query: "operation_type:query", sortKey: CREATED_AT, reverse: true) {
    nodes { type query """
    + _BULK_FIELDS
    + """ }
  }
}"""
)

BULK_CANCEL = (
    "mutation CancelBulk($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { "
    + _BULK_FIELDS
    + " } userErrors { field message } } }"
)

PAGE = (
    """query Page($first: Int!, $after: String, $search: String) {
  customers(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
    nodes {"""
    + CUSTOMER_FIELDS
    + """}
    pageInfo { hasNextPage endCursor }
  }
}"""
)
"""Customers in the order of their last change: one that changes meanwhile only comes again, at the end."""

NODES = "query Customers($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer {" + CUSTOMER_FIELDS + "} } }"

PROBE = "query Probe { customers(first: 10, sortKey: UPDATED_AT, reverse: true) { nodes {" + CUSTOMER_FIELDS + "} } }"
"""A few customers, to learn which fields of the selection the token is refused."""

# Lists and no connections here either, and nothing of a person but the customer's id.
_ORDER_FIELDS = """
  id
  updatedAt
  processedAt
  test
  cancelledAt
  displayFinancialStatus
  displayFulfillmentStatus
  totalPriceSet { shopMoney { amount currencyCode } }
  subtotalPriceSet { shopMoney { amount currencyCode } }
  customer { id }
  refunds(first: 250) { id createdAt totalRefundedSet { shopMoney { amount currencyCode } } }
  fulfillments(first: 50) { createdAt status }
"""

ORDERS = "query Orders($ids: [ID!]!) { nodes(ids: $ids) { ... on Order {" + _ORDER_FIELDS + "} } }"

ORDER_PAGE = (
    """query OrderPage($first: Int!, $after: String, $search: String) {
  orders(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
    nodes {"""
    + _ORDER_FIELDS
    + """}
    pageInfo { hasNextPage endCursor }
  }
}"""
)
"""Orders in the order of their last change: one that changes meanwhile only comes again, at the end."""

COUNT = "query CountCustomers { customersCount(limit: null) { count precision } }"

SURVEY = """query Survey {
  shop { name currencyCode ianaTimezone myshopifyDomain }
  currentAppInstallation { accessScopes { handle } app { handle webhookApiVersion } }
}"""

SUBSCRIPTIONS = """query Subscriptions($after: String) {
  webhookSubscriptions(first: 250, after: $after) {
    nodes { id topic uri apiVersion { handle } }
    pageInfo { hasNextPage endCursor }
  }
}"""

SUBSCRIBE = """mutation Subscribe($topic: WebhookSubscriptionTopic!, $uri: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: { uri: $uri, format: JSON }) {
    webhookSubscription { id topic uri apiVersion { handle } }
    userErrors { field message }
  }
}"""

"""Salesforce over its REST API, through simple-salesforce in direct mode."""

from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.connector import SalesforceConnector

__all__ = ["SalesforceConfig", "SalesforceConnector"]

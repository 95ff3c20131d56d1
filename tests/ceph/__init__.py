"""Tests on a real Ceph cluster."""
